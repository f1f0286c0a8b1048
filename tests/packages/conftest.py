"""What users install: the wheel and the package for Debian. These tests are a tier of their own: `make test-packages`.

They need a network: pip fetches pipx and uv, mmdebstrap fetches Debian's packages.
"""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from scripts.deb.tree import build_wheel

if os.environ.get("PACKAGE_TESTS") != "required":
    collect_ignore_glob = ["*"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def package() -> Path:
    """The package for Debian, which `make deb` has built."""
    (found,) = (ROOT / "build").glob("jobd_*.deb")
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(folder)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs pipx and uv, in a virtual environment of their own."""
    folder = tmp_path_factory.mktemp("tools")
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", "pipx", "uv"], check=True, timeout=300)
    return folder / "bin"
