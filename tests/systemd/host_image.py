"""The image of a Debian 12 machine with systemd as its init, from Debian's packages and without a registry.

Owns what is on that machine. The image stays on the engine; its tag is a digest of the recipe.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import docker

from scripts.engine_client import connect
from scripts.images.imports import find
from scripts.images.packages import apt, run

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "python3")
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "getty.target",
    "systemd-firstboot.service",
    "systemd-modules-load.service", "systemd-networkd.service", "systemd-random-seed.service", "systemd-remount-fs.service",
    "systemd-resolved.service", "systemd-sysctl.service", "systemd-timesyncd.service", "systemd-udevd.service", "dev-hugepages.mount",
    "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
)  # fmt: skip
"""What a machine of its own would do, and a container must not: it has the kernel of this machine."""
START = "umount -R /sys/fs/cgroup; exec /sbin/init"
"""systemd mounts the control groups itself, those of the container's namespace."""
LABEL = "jobd.test-host"


def ensure_host_image(client: docker.DockerClient) -> str:
    """Returns the image's name; builds it if the engine does not have it, which takes less than a minute."""
    recipe = repr((SUITE, PACKAGES, MASKED, START))
    name = f"jobd-test-host:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if find(client, name) is not None:
        return name
    if not shutil.which("mmdebstrap"):
        apt("mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="jobd-host-") as scratch:
        root = Path(scratch) / "root.tar"
        masks = " ".join(f"ln -s /dev/null etc/systemd/system/{unit};" for unit in MASKED)
        inside = f'set -eu; cd "$1"; {masks} rm -f etc/machine-id; rm -rf var/cache/apt var/lib/apt/lists'
        run(
            "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}",
            '--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/doc/*",
            f"--customize-hook={inside}", SUITE, str(root),
        )  # fmt: skip
        repository, tag = name.split(":")
        client.api.import_image_from_file(
            str(root), repository=repository, tag=tag, changes=[f"LABEL {LABEL}=1", "ENV container=docker"]
        )
    return name


if __name__ == "__main__":
    print(ensure_host_image(connect(300)), file=sys.stderr)
