"""Test processes share the compiling of test files: else each process compiles all of them in a fresh checkout, half a minute for two cores.

Before the tests are collected, each of n processes imports another n-th of the test files, which leaves bytecode for the others.
"""

import contextlib
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    given: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if given is None:
        return
    number, count = int(given["workerid"].removeprefix("gw")), int(given["workercount"])
    for name in share(test_modules(session.config.args, session.config.rootpath), number, count):
        # The collection imports the module again, and reports why it failed.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


def test_modules(arguments: Iterable[str], root: Path) -> Iterator[str]:
    """Returns the names of the test modules in the folders of a command line."""
    for argument in arguments:
        folder = root / argument
        if folder.is_dir() and folder.resolve().is_relative_to(root):
            for path in folder.rglob("test_*.py"):
                yield ".".join(path.resolve().relative_to(root).with_suffix("").parts)


def share(names: Iterable[str], number: int, count: int) -> list[str]:
    """Returns every count-th of the names, from the one with this number."""
    return sorted(set(names))[number::count]
