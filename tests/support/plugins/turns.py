"""Locks for tests in several processes: some tests run alone, some not beside tests that use the same resource.

Every test holds a shared or an exclusive lock from its set-up to its end, and a lock per resource. A test waits for its locks before
its time limit begins. Without pytest-xdist there is one process and no lock.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

LOCKS = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: no other test may run beside this one")
    config.addinivalue_line(
        "markers", "takes(thing): no other test that takes the same thing may run beside this one"
    )
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[LOCKS] = Path(given["locks"])
    elif getattr(config.option, "numprocesses", None):
        config.stash[LOCKS] = Path(tempfile.mkdtemp(prefix="turns-"))
        config.add_cleanup(lambda: shutil.rmtree(config.stash[LOCKS], ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["locks"] = str(node.config.stash[LOCKS])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves files with tests that run alone to the end: until then no process waits for another."""
    alone = {item.path for item in items if item.get_closest_marker("alone") is not None}
    items.sort(key=lambda item: item.path in alone)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    locks = item.config.stash.get(LOCKS, None)
    if locks is None:
        return (yield)
    with ExitStack() as held:
        held.enter_context(turn(locks, alone=item.get_closest_marker("alone") is not None))
        for name in sorted({marker.args[0] for marker in item.iter_markers("takes")}):
            held.enter_context(lock(locks / name, fcntl.LOCK_EX))
        return (yield)


@contextmanager
def turn(locks: Path, *, alone: bool) -> Iterator[None]:
    """Holds the shared or exclusive lock. While a test waits for the exclusive lock, the gate stops other tests from starting."""
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with lock(locks / "gate", kind) as gate, lock(locks / "room", kind):
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextmanager
def lock(path: Path, kind: int) -> Iterator[int]:
    """Holds a lock on a file; yields its descriptor."""
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield file.fileno()
