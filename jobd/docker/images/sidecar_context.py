"""The sidecar image's build context: the installed code and the two packages that the sidecar needs.

Owns the list of files, their digest, and the build context in memory.
A compiled package is copied if the image's Python can load it; else pip downloads a matching wheel.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from jobd.jobs.port.errors import ImageUnavailable
from jobd.wire.files.paths import path_flaw

DIGEST_LABEL = "job.sidecar.digest"
VERSION_LABEL = "job.sidecar.version"
PYTHON_LABEL = "job.sidecar.python"
"""The label of a base image that names its Python (X.Y); without the label, jobd's own Python version counts."""
REMEDY = "run `make images`, or set SIDECAR_IMAGE to an image that can be pulled"

_PACKAGES = ("msgspec", "urllib3")
_FETCH_S = 180
_WHEEL_BYTES = 32 * 1024 * 1024
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY app/ /app/
RUN ["python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/app"]
RUN ["python3", "-I", "-c", "import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), maxlevels=1, rx=re.compile('/(ensurepip|idlelib|lib2to3|site-packages|test|tkinter|turtledemo|unittest)'), quiet=2)"]
ENTRYPOINT ["python3", "-I", "-S", "-B", "-X", "utf8", "/app/sidecar/start.py"]
"""
"""The sidecar's root is read-only: bytecode that the image lacks is made again at each start. Official images of Python have none of the
standard library. The modules of `/app` never change, so that Python need not compare their times."""


@dataclass(frozen=True, slots=True)
class Context:
    """One build: the tar for the engine, the build arguments and the image's labels."""

    tar: bytes
    build_args: dict[str, str]
    labels: dict[str, str]


def source_files() -> dict[str, bytes]:
    """Returns jobd's and the sidecar's files of the image by their path below `/app`.

    Raises: ImageUnavailable: the sidecar's code is not installed.
    """
    sidecar, jobd = _folder("sidecar"), _folder("jobd")
    files = _python_files(sidecar, "sidecar") | _python_files(jobd / "wire", "jobd/wire")
    return {**files, "jobd/__init__.py": (jobd / "__init__.py").read_bytes()}


@functools.cache
def source_digest() -> str:
    """Returns a digest of the files, the Dockerfile and the versions of the two packages. Each artifact job asks for it."""
    digest = hashlib.sha256(_DOCKERFILE.encode())
    for name in _PACKAGES:
        digest.update(f"{name}={importlib.metadata.version(name)}\n".encode())
    for path, content in sorted(source_files().items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def make(base: str, python: str, architecture: str) -> Context:
    """Returns the build context for a base image with this Python (X.Y) on this architecture (amd64, arm64).

    Blocks: reads files, and downloads wheels if the installed packages do not match.
    Raises: ImageUnavailable: a matching package is not available.
    """
    files = {f"app/{path}": content for path, content in source_files().items()}
    packages = (
        installed_packages() if fits_here(python, architecture) else fetched_packages(python, architecture)
    )
    files |= {f"app/{path}": content for path, content in packages.items()}
    files["Dockerfile"] = _DOCKERFILE.encode()
    return Context(
        tar=tar_of(files),
        build_args={"BASE": base},
        labels={DIGEST_LABEL: source_digest(), VERSION_LABEL: _version(), PYTHON_LABEL: python},
    )


def fits_here(python: str, architecture: str) -> bool:
    """True if this Python's compiled packages run in the image: same minor version, architecture and C library."""
    own_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    platform = sysconfig.get_platform()
    return (
        python == own_version
        and sys.implementation.name == "cpython"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and platform == f"linux-{_MACHINES.get(architecture, architecture)}"
        and "musl" not in str(sysconfig.get_config_var("SOABI"))
    )


def installed_packages() -> dict[str, bytes]:
    """Returns the files of the installed msgspec and urllib3."""
    files: dict[str, bytes] = {}
    for name in _PACKAGES:
        folder = _folder(name)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in (".py", ".so", ".typed"):
                files[f"{name}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return files


def fetched_packages(python: str, architecture: str) -> dict[str, bytes]:
    """Returns the files of both packages from wheels for another Python or architecture, downloaded by pip.

    Raises: ImageUnavailable: the download failed.
    """
    machine = _MACHINES.get(architecture, architecture)
    requirements = [f"{name}=={importlib.metadata.version(name)}" for name in _PACKAGES]
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28")]
    with tempfile.TemporaryDirectory(prefix="jobd-wheels-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += [
            "--disable-pip-version-check",
            "--no-input",
            f"--python-version={python}",
            "--implementation=cp",
        ]
        command += [*platforms, f"--dest={folder}", *requirements]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_FETCH_S, check=False, text=True)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unavailable(f"no packages for Python {python} on {machine}: {error}") from error
        if done.returncode != 0:
            raise _unavailable(f"no packages for Python {python} on {machine}: {done.stderr.strip()[-500:]}")
        files: dict[str, bytes] = {}
        for wheel in sorted(Path(folder).glob("*.whl")):
            files |= unpacked(wheel)
    return files


def unpacked(wheel: Path) -> dict[str, bytes]:
    """Returns a wheel's Python and compiled files.

    Raises: ImageUnavailable: the wheel is too large.
    """
    files: dict[str, bytes] = {}
    left = _WHEEL_BYTES
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if not member.filename.endswith((".py", ".so", ".typed")) or path_flaw(member.filename):
                continue
            left -= member.file_size
            if left < 0:
                raise _unavailable(f"{wheel.name} is too large")
            files[member.filename] = archive.read(member)
    return files


def tar_of(files: dict[str, bytes]) -> bytes:
    """Returns the files as a tar; the same files give the same bytes, so that the engine's build cache hits."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(files[path]), 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return out.getvalue()


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise _unavailable(f"the package {package!r} is not installed here")
    return Path(os.fspath(next(iter(found.submodule_search_locations))))


def _python_files(folder: Path, prefix: str) -> dict[str, bytes]:
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*.py")
    }


def _version() -> str:
    try:
        return importlib.metadata.version("jobd")
    except importlib.metadata.PackageNotFoundError:
        return "0"  # jobd runs from a checkout


def _unavailable(message: str) -> ImageUnavailable:
    error = ImageUnavailable(f"the sidecar image cannot be built: {message}")
    error.remedy = REMEDY
    return error
