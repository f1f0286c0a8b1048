"""`jobs/state` is pure: no module imports code that waits, reads, writes or reads a clock."""

import ast
from pathlib import Path

import jobd.jobs.state

ALLOWED = frozenset({"collections", "dataclasses", "datetime", "msgspec", "typing"})
RANDOM = {"new_record.py": frozenset({"secrets"})}
"""A new record draws its uid and its token."""


def imported(path: Path) -> set[str]:
    """Returns the roots of all modules that a file imports, other than jobd's own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found - {"jobd"}


def test_the_state_imports_no_code_with_effects() -> None:
    files = sorted(Path(jobd.jobs.state.__path__[0]).rglob("*.py"))
    assert len(files) > 10
    for path in files:
        assert imported(path) <= ALLOWED | RANDOM.get(path.name, frozenset()), path.name


def test_no_function_of_the_state_is_a_coroutine_or_reads_a_clock() -> None:
    for path in Path(jobd.jobs.state.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), path.name
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("now", "utcnow", "today"), path.name
