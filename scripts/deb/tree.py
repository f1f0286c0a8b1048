"""The folder with jobd and all its libraries, for the Python of Debian 12.

Owns which packages are in the folder: the project's own wheel, and of requirements/ci.txt what it needs, in the locked versions, checked by
their hashes.
"""

import importlib.util
import re
import shutil
import sys
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name

from scripts.images.packages import run
from scripts.sbom import PROJECT, closure

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "3.11"
"""Of Debian 12."""
UNUSED = ("bin", "share", "certifi/tests", "typer/.agents")
"""Programs with the path of this Python; man pages, which have places of their own; what libraries have for their developers."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
_LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def install_tree(folder: Path, arch: str) -> None:
    """Installs jobd and what it needs into `folder`. Downloads packages that pip's cache does not have.

    Raises:
        Failed: a package cannot be had.
    """
    machine = MACHINES.get(arch, arch)
    target = [
        "--target",
        str(folder),
        "--no-deps",
        "--no-compile",
        "--only-binary=:all:",
        "--implementation=cp",
    ]
    target += [f"--python-version={PYTHON}", f"--abi=cp{PYTHON.replace('.', '')}", "--abi=abi3", "--abi=none"]
    target += [f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28")]
    with tempfile.TemporaryDirectory(prefix="jobd-tree-") as scratch:
        needed = Path(scratch) / "needed.txt"
        needed.write_text("\n".join(locked()) + "\n")
        wheel = build_wheel(Path(scratch))
        run(*PIP, "install", *target, "--require-hashes", f"--requirement={needed}")
        run(*PIP, "install", *target, "--no-index", "--upgrade", str(wheel))
    for unused in UNUSED:
        shutil.rmtree(folder / unused, ignore_errors=True)
    for name in ("direct_url.json", "REQUESTED"):
        for path in folder.glob(f"*.dist-info/{name}"):
            path.unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


def build_wheel(folder: Path) -> Path:
    """Builds the project's wheel into `folder`. pip fetches the build backend where this environment does not have it. Raises Failed."""
    has_backend = importlib.util.find_spec("hatchling") is not None
    isolation = ["--no-build-isolation"] if has_backend else []
    run(*PIP, "wheel", "--no-deps", *isolation, f"--wheel-dir={folder}", str(ROOT))
    (wheel,) = folder.glob("jobd-*.whl")
    return wheel


def locked() -> list[str]:
    """Returns the entries of requirements/ci.txt, with their hashes, of the packages that jobd needs."""
    text = (ROOT / "requirements" / "ci.txt").read_text()
    entries: dict[str, str] = {canonicalize_name(match[1]): match[0] for match in _LOCKED.finditer(text)}
    return [entries[name] for name in closure(PROJECT) if name != PROJECT]
