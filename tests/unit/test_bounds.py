"""docs/bounds.md is complete: everything in the daemon that can grow has a row, with a bound and a test that exists."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import jobd
from tests.unit.buffers import growing

CODE = Path(jobd.__file__).parent
ROOT = CODE.parent
PAGE = ROOT / "docs" / "bounds.md"
DOUBLES = "testing/"
"""No part of the daemon."""


class Row(NamedTuple):
    what: str
    files: list[str]
    names: list[str]
    bound: str
    tests: list[str]


@cache
def rows() -> list[Row]:
    section = PAGE.read_text().partition("\n## What can grow\n")[2].partition("\n## ")[0]
    found = []
    for line in section.splitlines():
        if line.startswith("|") and not re.match(r"\|(-|\s*what\s*\|)", line):
            what, where, bound, tests = (cell.strip() for cell in line.strip("|").split("|"))
            codes = re.findall(r"`([^`]+)`", where)
            files = [code for code in codes if code.endswith(".py")]
            names = [code for code in codes if not code.endswith(".py")]
            found.append(Row(what, files, names, bound, re.findall(r"`([^`]+)`", tests)))
    return found


@cache
def functions() -> frozenset[str]:
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(re.findall(r"^\s*(?:async )?def (test_\w+)\(", text, re.MULTILINE)) | frozenset(
        re.findall(r"^(Test\w+) = ", text, re.MULTILINE)
    )


def text_of(file: str) -> str:
    """`file` is relative to the daemon's package, or to the project."""
    path = CODE / file
    return (path if path.is_file() else ROOT / file).read_text()


def in_the_code() -> set[tuple[str, str]]:
    return {
        (file, name)
        for path in CODE.rglob("*.py")
        if not (file := path.relative_to(CODE).as_posix()).startswith(DOUBLES)
        for name in growing(path.read_text())
    }


def test_what_can_grow_is_listed() -> None:
    listed = {(file, name) for row in rows() for file in row.files for name in row.names}
    assert in_the_code() - listed == set(), "these can grow, and docs/bounds.md has no bound for them"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.what)
def test_a_bound_has_its_files_a_number_and_a_test(row: Row) -> None:
    assert row.files
    code = "".join(text_of(file) for file in row.files)
    for name in row.names:
        assert re.search(rf"\b{name.rstrip('()').rpartition('.')[2]}\b", code), name
    assert re.search(r"\d|\bone\b|\bas many\b|\btwo\b|`[A-Z_]+`", row.bound), "a bound is a number"
    assert row.tests, "a bound without a test is a hope"
    for test in row.tests:
        assert test in functions(), test


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("class A:\n def __init__(self): self._x: list[int] = []", {"A._x"}),
        ("class A:\n def f(self): self._x, self.y = {}, 3", {"A._x"}),
        ("class A:\n def f(self, x): self._x = x or set()", {"A._x"}),
        ("class A:\n def f(self): self._x = deque[int]()", {"A._x"}),
        ("class A:\n def f(self): self._x = asyncio.Queue()", {"A._x"}),
        ("class A:\n def f(self): self._x = b''", {"A._x"}),
        ("class A:\n x: list[int] = field(default_factory=list)", {"A.x"}),
        ("class A:\n x: B = field(default_factory=B)", set()),
        ("class A:\n def f(self): self.number = 3", set()),
        ("SEEN = {}\ndef f(x): SEEN[x] = 1", {"SEEN"}),
        ("TABLE = {1: 2}\ndef f(x): return TABLE[x]", set()),
        ("@lru_cache(maxsize=3)\ndef f(x): return x", {"f()"}),
        ("class A:\n @functools.cache\n def f(self): return 1", {"A.f()"}),
        ("def f(source):\n parts = []\n while True: parts.append(source())", {"f.parts"}),
        ("async def f(source):\n out = b''\n async for one in source: out += one", {"f.out"}),
        ("async def f(source): return [x async for x in source]", {"f.[]"}),
        ("def f(rows):\n parts = []\n for row in rows: parts.append(row)", set()),
    ],
)
def test_what_can_grow_is_found(source: str, names: set[str]) -> None:
    assert growing(source) == names
