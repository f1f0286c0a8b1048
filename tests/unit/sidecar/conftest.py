"""A workspace in a temporary folder, over both ways of opening, and a context for handlers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.artifacts.base import Caps, Context
from sidecar.interrupts import Interrupts
from sidecar.transfer.http import Http
from sidecar.workspace.paths import Workspace

MakeContext = Callable[..., Context]


@pytest.fixture
def interrupts(request: pytest.FixtureRequest) -> Iterator[Interrupts]:
    """Installed signal handlers. A test may name another meaning of SIGTERM as an indirect parameter."""
    made = Interrupts(sigterm=getattr(request, "param", "leave"))
    made.install()
    yield made
    made.uninstall()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The workspace's folder; beside it lies a secret that nothing may reach."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture(params=[True, False], ids=["openat2", "walk"])
def workspace(root: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    facts = root.stat()
    made = Workspace(str(root), facts.st_uid, facts.st_gid, use_openat2=request.param)
    yield made
    made.close()


@pytest.fixture
def make_context(root: Path, interrupts: Interrupts) -> Iterator[MakeContext]:
    facts = root.stat()
    workspace = Workspace(str(root), facts.st_uid, facts.st_gid)

    def no_http() -> Http:
        raise AssertionError("no network in unit tests")

    def make(**caps: int) -> Context:
        return Context(
            workspace=workspace,
            interrupts=interrupts,
            http=no_http,
            meter=lambda size_bytes, total: None,
            caps=Caps(**caps),
        )

    yield make
    workspace.close()


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    return make_context()
