"""Makes sure that the images which demo, tests and benchmarks use are on the engine.

Owns where they come from: the registry, if one answers within seconds, else this machine's own packages (Debian and
Ubuntu). Does nothing for what is there. The sidecar image itself is built by `jobd.docker.images`, on the base made here.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import docker
import docker.errors
import requests
from docker.context import ContextAPI
from docker.models.images import Image

from jobd.docker.sidecar_context import PYTHON_LABEL

WORKER = "busybox:latest"
BASE = "job-sidecar-base"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

STALL_S = 8
"""A registry that says nothing for this long counts as absent."""
PULL_S = 300

USERS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
"""
GROUPS = """\
root:x:0:
nogroup:x:65534:
app:x:1000:
"""
UNUSED_STDLIB = "ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo unittest distutils curses dbm sqlite3 wsgiref xmlrpc"
UNUSED_PATHS = "usr/lib/*/gconv usr/lib/*/perl* usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/zoneinfo var/cache/apt var/lib/apt"


class Failed(Exception):
    """An image could not be had; the text says why and what helps."""


def say(message: str) -> None:
    print(f"images: {message}", file=sys.stderr, flush=True)


def connect(timeout_s: int = 60) -> docker.DockerClient:
    """Returns a client of the engine that `DOCKER_HOST`, the usual socket or the docker client's context names.

    `timeout_s` bounds each silence of the engine.
    """
    client = docker.from_env(timeout=timeout_s)
    try:
        client.ping()
    except (docker.errors.DockerException, requests.RequestException):
        context = ContextAPI.get_current_context()
        if os.environ.get("DOCKER_HOST") or context.Host == client.api.base_url:
            raise
        client = docker.DockerClient(base_url=context.Host, timeout=timeout_s)
        client.ping()
    return client


def find(client: docker.DockerClient, reference: str) -> Image | None:
    try:
        return client.images.get(reference)
    except docker.errors.ImageNotFound:
        return None


def pull(client: docker.DockerClient, reference: str) -> str | None:
    """Pulls an image. Returns why it could not, or None: it is here now."""
    repository, tag = reference.split(":")
    impatient = connect(STALL_S)
    deadline = time.monotonic() + PULL_S
    try:
        for frame in impatient.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in frame:
                return str(frame["error"])
            if time.monotonic() > deadline:
                return f"not done within {PULL_S} s"
    except docker.errors.APIError as error:
        return str(error.explanation or error).rpartition(": ")[2]
    except (requests.RequestException, OSError):
        return f"no answer from a registry within {STALL_S} s"
    finally:
        impatient.close()
    return None if find(client, reference) else "the engine does not have it after the pull"


def run(*command: str, cwd: str | None = None, timeout_s: float = 600) -> None:
    """Runs a program quietly.

    Raises:
        Failed: with the end of what it said.
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
        Failed: this is neither.
    """
    release = Path("/etc/os-release")
    lines = release.read_text().splitlines() if release.exists() else []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    if not shutil.which("apt-get") or not fields.get("VERSION_CODENAME"):
        raise Failed(
            "no registry answers, and building images from packages needs Debian or Ubuntu.\n"
            f"Load them from another machine: docker save {WORKER} python:{HERE}-slim | docker load"
        )
    return fields["VERSION_CODENAME"].strip('"')


def update() -> None:
    """Renews the package lists. A source that cannot be reached is no obstacle here; a missing package says so later."""
    with contextlib.suppress(Failed):
        run("apt-get", "update", "-qq", timeout_s=300)


def apt(*packages: str) -> None:
    if os.getuid() != 0:
        raise Failed(f"needs packages that are not here; run once: sudo apt-get install {' '.join(packages)}")
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    update()
    run(*environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def busybox_binary(scratch: Path) -> bytes:
    """Returns the static busybox of this machine, or of its package, which is fetched and not installed."""
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
    return next(path for path in (scratch / "busybox").rglob("busybox") if path.is_file()).read_bytes()


def applets(binary: bytes, scratch: Path) -> list[str]:
    path = scratch / "busybox-to-ask"  # its name decides what it is
    path.write_bytes(binary)
    path.chmod(0o755)
    return subprocess.run(
        [path, "--list"], check=True, capture_output=True, text=True, timeout=10
    ).stdout.split()


class Root:
    """A root file system that is being written as a tar. What is in it already is left as it is."""

    def __init__(self, path: Path) -> None:
        self.names: set[str] = set()
        if path.exists():
            with tarfile.open(path) as tar:
                self.names = {member.name.removeprefix("./") for member in tar.getmembers()}
        self.tar = tarfile.open(path, "a")  # noqa: SIM115 (closed by `close`)

    def folder(self, name: str, mode: int = 0o755, owner: int = 0) -> None:
        self._add(name, tarfile.DIRTYPE, mode, owner)

    def link(self, name: str, target: str) -> None:
        self._add(name, tarfile.SYMTYPE, 0o777, target=target)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._add(name, tarfile.REGTYPE, mode, content=content)

    def people(self) -> None:
        """Adds root, nobody and an ordinary user `app` with its home, and a /tmp for all."""
        self.file("etc/passwd", USERS.encode())
        self.file("etc/group", GROUPS.encode())
        self.folder("root", 0o700)
        self.folder("home/app", owner=1000)
        self.folder("tmp", 0o1777)
        self.folder("var/tmp", 0o1777)

    def _add(
        self, name: str, kind: bytes, mode: int, owner: int = 0, content: bytes = b"", target: str = ""
    ) -> None:
        if name in self.names:
            return
        self.names.add(name)
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
        member.size, member.linkname = len(content), target
        self.tar.addfile(member, io.BytesIO(content))

    def close(self) -> None:
        self.tar.close()


def import_root(client: docker.DockerClient, path: Path, reference: str, command: str, *labels: str) -> None:
    """Makes an image out of a root file system."""
    changes = [
        f'CMD ["{command}"]',
        *(f"LABEL {label}" for label in ("jobd.made-from=debian-packages", *labels)),
    ]
    repository, tag = reference.split(":")
    client.api.import_image_from_file(str(path), repository=repository, tag=tag, changes=changes)
    if find(client, reference) is None:
        raise Failed(f"the engine took {reference} and does not have it")


def build_worker(client: docker.DockerClient, scratch: Path) -> None:
    """Makes the worker image: busybox, its applets as links, two users."""
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
    import_root(client, path, WORKER, "sh")


def build_base(client: docker.DockerClient, scratch: Path) -> str:
    """Makes the base of the sidecar image: Debian's Python with its libraries and root certificates, and busybox as shell.

    Packages are unpacked, not installed: a third of the time and of the size. Returns the version X.Y of its Python.
    """
    suite = codename()
    if not shutil.which("mmdebstrap"):
        apt("mmdebstrap")
    path = scratch / "base.tar"
    # The sidecar's root is read-only, so what is not compiled here would be compiled again at each start.
    inside = (
        'set -eu; cd "$1"; lib=$(echo usr/lib/python3.*); '
        f"for unused in {UNUSED_STDLIB}; do rm -rf $lib/$unused; done; rm -rf {UNUSED_PATHS}; "
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
    root.close()
    import_root(client, path, f"{BASE}:{version}", "python3", f"{PYTHON_LABEL}={version}")
    return version


def ensure_worker(client: docker.DockerClient) -> None:
    if find(client, WORKER):
        return
    why = pull(client, WORKER)
    if why is None:
        say(f"{WORKER} pulled")
        return
    say(f"{WORKER} cannot be pulled ({why}): building it from this machine's packages")
    with tempfile.TemporaryDirectory() as scratch:
        build_worker(client, Path(scratch))
    say(f"{WORKER} built")


def ensure_base(client: docker.DockerClient) -> None:
    """The base has this Python's version, so that the sidecar image can take the packages that are installed here."""
    wanted = f"{BASE}:{HERE}"
    if find(client, wanted):
        return
    python = f"python:{HERE}-slim"
    local = find(client, python)
    why = None if local else pull(client, python)
    if why is None:
        (local or client.images.get(python)).tag(BASE, HERE)
        say(f"{wanted} is {python}")
        return
    if find(client, f"{BASE}:latest"):
        return  # built below on an earlier run, with the other Python that Debian has
    say(
        f"python:{HERE}-slim cannot be pulled ({why}): building a base from this machine's packages (some 20 s)"
    )
    with tempfile.TemporaryDirectory() as scratch:
        version = build_base(client, Path(scratch))
    if (
        version != HERE
    ):  # Debian's Python is another than the one that runs jobd: found by this tag, known by its label
        client.images.get(f"{BASE}:{version}").tag(BASE, "latest")
    say(f"{BASE}:{version} built")


def build_sidecar() -> int:
    """Lets jobd build its sidecar image. Passes on what it says, but not that there was nothing to do."""
    command = [sys.executable, "-m", "jobd.docker.images"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = False
        for line in process.stderr or ():
            if said or not line.rstrip().endswith(" is ready"):
                say(line.rstrip())
                said = True
        return process.wait(timeout=10)


def main() -> int:
    try:
        client = connect()
        ensure_worker(client)
        ensure_base(client)
    except Failed as error:
        say(str(error))
        return 1
    except (docker.errors.DockerException, requests.RequestException) as error:
        say(f"the engine does not do what is asked: {error}")
        return 1
    return build_sidecar()


if __name__ == "__main__":
    sys.exit(main())
