"""Builds the image of jobd itself, jobd:VERSION, for jobd in a cluster: Debian's Python, jobd with its libraries, and both programs.

    python -m scripts.images.daemon

Owns what the image has and as whom it runs. `scripts/deb` has the same folder of libraries.
"""

import compileall
import sys
import tempfile
import tomllib
from pathlib import Path

import docker.errors
import requests

from jobd.jobs.port.errors import EngineError
from scripts.deb.__main__ import LAUNCHER, LAUNCHERS, architecture
from scripts.deb.tree import PYTHON, ROOT, install_tree
from scripts.engine_client import connect
from scripts.images.imports import import_root
from scripts.images.packages import UNUSED_STDLIB, Failed, python_root

HOME = "usr/lib/jobd"
USER = 65532
CHANGES = (
    'ENTRYPOINT ["/usr/bin/jobd"]',
    f"USER {USER}:{USER}",
    "ENV HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1",
    "EXPOSE 8080 9090",
)


def reference() -> str:
    """Returns the image's name and tag."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"jobd:{version}"


def build(scratch: Path) -> Path:
    """Returns the image's root file system. Raises Failed."""
    folder, path = scratch / "tree", scratch / "jobd.tar"
    install_tree(folder, architecture())
    # The metrics' library imports wsgiref.
    root, version = python_root(path, UNUSED_STDLIB.replace("wsgiref ", ""))
    if version != PYTHON:
        raise Failed(
            f"the image needs Python {PYTHON}, that of Debian 12; this machine's packages have {version}"
        )
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        compileall.compile_dir(folder, stripdir=folder, prependdir=f"/{HOME}", quiet=1)
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        root.file(f"{HOME}/{file.relative_to(folder)}", file.read_bytes())
    for program, module in LAUNCHERS.items():
        root.file(f"usr/bin/{program}", LAUNCHER.format(module=module).encode(), 0o755)
    root.close()
    return path


def main() -> int:
    try:
        client = connect()
        with tempfile.TemporaryDirectory(prefix="jobd-image-") as scratch:
            import_root(client, build(Path(scratch)), reference(), *CHANGES)
    except (Failed, docker.errors.DockerException, requests.RequestException, EngineError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    print(reference())
    return 0


if __name__ == "__main__":
    sys.exit(main())
