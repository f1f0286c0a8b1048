"""Every test process collects all tests: here that takes less of its processor time.

In a fresh checkout each process would compile all test files. Before the collection, each of n processes imports another n-th of the
files, which leaves bytecode for the others. The collection makes many objects and no garbage, so the garbage collector waits until its
end, and leaves these objects alone afterwards.
"""

import contextlib
import gc
import importlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    gc.disable()
    try:
        given: dict[str, Any] | None = getattr(session.config, "workerinput", None)
        if given is not None:
            number, count = int(given["workerid"].removeprefix("gw")), int(given["workercount"])
            for name in share(modules_of_tests(session.config.args, session.config.rootpath), number, count):
                # The collection imports the module again, and reports why it failed.
                with contextlib.suppress(Exception, pytest.skip.Exception):
                    importlib.import_module(name)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def modules_of_tests(arguments: Iterable[str], root: Path) -> Iterator[str]:
    """Yields the names of the test modules in the folders of a command line."""
    for argument in arguments:
        folder = root / argument
        if folder.is_dir() and folder.resolve().is_relative_to(root):
            for path in folder.rglob("test_*.py"):
                yield ".".join(path.resolve().relative_to(root).with_suffix("").parts)


def share(names: Iterable[str], number: int, count: int) -> list[str]:
    """Returns every count-th of the names, from the one with this number."""
    return sorted(set(names))[number::count]
