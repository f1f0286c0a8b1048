"""Builds root file systems from this machine's own packages (Debian and Ubuntu), for engines without a registry.

Owns their content. Packages are unpacked, not installed, which needs a third of the time and of the space.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from scripts.images.root import Root

UNUSED_STDLIB = "ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo unittest distutils curses dbm wsgiref xmlrpc"
UNUSED_PATHS = "usr/lib/*/gconv usr/lib/*/perl* usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/zoneinfo var/cache/apt var/lib/apt"


class Failed(Exception):
    """An image cannot be provided; the text says why and how to correct that."""


def run(*command: str, cwd: str | None = None, timeout_s: float = 600) -> None:
    """Runs a program without output.

    Raises:
        Failed: with the end of the program's output.
    """
    try:
        done = subprocess.run(command, cwd=cwd, timeout=timeout_s, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end within {timeout_s:.0f} s") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise Failed(f"{' '.join(command[:3])} failed with {done.returncode}:\n{tail}")


def codename() -> str:
    """Returns the suite of this Debian or Ubuntu.

    Raises:
        Failed: this system is neither of them.
    """
    release = Path("/etc/os-release")
    lines = release.read_text().splitlines() if release.exists() else []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    if not shutil.which("apt-get") or not fields.get("VERSION_CODENAME"):
        raise Failed(
            "no registry answers, and building images from packages needs Debian or Ubuntu.\n"
            "Load them from a machine that has one: docker save busybox:latest python:3-slim | docker load"
        )
    return fields["VERSION_CODENAME"].strip('"')


def update() -> None:
    """Updates the package lists. Ignores unreachable sources: the later installation reports a missing package."""
    with contextlib.suppress(Failed):
        run("apt-get", "update", "-qq", timeout_s=300)


def apt(*packages: str) -> None:
    if os.getuid() != 0:
        raise Failed(f"needs packages that are not here; run once: sudo apt-get install {' '.join(packages)}")
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    update()
    run(*environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def busybox_binary(scratch: Path) -> bytes:
    """Returns the static busybox of this machine, or of its package, which is downloaded but not installed."""
    for place in ("/bin/busybox", "/usr/bin/busybox"):
        path = Path(place)
        if path.exists() and b"ld-linux" not in path.read_bytes()[:4096]:
            return path.read_bytes()
    codename()
    try:
        run("apt-get", "download", "-qq", "busybox-static", cwd=str(scratch))
    except Failed:
        update()
        run("apt-get", "download", "-qq", "busybox-static", cwd=str(scratch))
    (package,) = scratch.glob("busybox-static_*.deb")
    run("dpkg-deb", "-x", str(package), str(scratch / "busybox"))
    # The package also has scripts with this name; the program is in bin, or in usr/bin on newer systems.
    return next((scratch / "busybox").glob("**/bin/busybox")).read_bytes()


def applets(binary: bytes, scratch: Path) -> list[str]:
    path = scratch / "busybox-to-ask"  # busybox selects the applet by its own name
    path.write_bytes(binary)
    path.chmod(0o755)
    return subprocess.run(
        [path, "--list"], check=True, capture_output=True, text=True, timeout=10
    ).stdout.split()


def build_worker(scratch: Path) -> Path:
    """Returns the root of the worker image: busybox, its applets as links, two users."""
    binary = busybox_binary(scratch)
    path = scratch / "worker.tar"
    root = Root(path)
    for name in ("bin", "dev", "etc", "home", "proc", "sys", "usr/bin", "usr/sbin", "sbin", "var"):
        root.folder(name)
    root.file("bin/busybox", binary, 0o755)
    for applet in applets(binary, scratch):
        if applet != "busybox":
            root.link(f"bin/{applet}", "busybox")
    root.link("usr/bin/env", "../../bin/busybox")
    root.people()
    root.close()
    return path


def build_base(scratch: Path) -> tuple[Path, str]:
    """Returns the root of the sidecar's base image, and its Python version X.Y."""
    root, version = python_root(scratch / "base.tar", f"{UNUSED_STDLIB} sqlite3")
    root.close()
    return scratch / "base.tar", version


def python_root(path: Path, unused: str) -> tuple[Root, str]:
    """Returns an open root at `path`, and its Python version X.Y: Debian's Python with its libraries but the `unused` ones, root
    certificates, and busybox as shell.
    """
    scratch = path.parent
    suite = codename()
    if not shutil.which("mmdebstrap"):
        apt("mmdebstrap")
    # The containers' root is read-only: without compilation here, Python would compile the modules at each start.
    inside = (
        'set -eu; cd "$1"; lib=$(echo usr/lib/python3.*); '
        f"for unused in {unused}; do rm -rf $lib/$unused; done; rm -rf {UNUSED_PATHS}; "
        "cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt; "
        'chroot "$1" /usr/bin/python3 -m compileall -q -j 0 /$lib'
    )
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        "--include=python3,ca-certificates",
        '--aptopt=Acquire::Languages "none"',
        f"--extract-hook={inside}",
        suite,
        str(path),
    )
    binary = busybox_binary(scratch)
    root = Root(path)
    version = next(n.removeprefix("usr/bin/python") for n in root.names if n.startswith("usr/bin/python3."))
    root.file("bin/busybox", binary, 0o755)
    for applet in applets(binary, scratch):
        if not any(f"{place}/{applet}" in root.names for place in ("bin", "usr/bin", "sbin", "usr/sbin")):
            root.link(f"bin/{applet}", "busybox")
    root.people()
    return root, version
