"""The processes of a test run import each test file once between them, before each collects all of them."""

import importlib.util
from pathlib import Path

from tests.support.plugins.quick_collection import modules_of_tests, share

ROOT = Path(__file__).parents[3]


def test_the_shares_of_all_processes_are_the_whole() -> None:
    names = list(modules_of_tests(["tests/unit", "tests/integration"], ROOT))
    assert len(names) > 100
    shares = [share(names, number, 4) for number in range(4)]
    assert sorted(name for one in shares for name in one) == sorted(names)
    assert all(importlib.util.find_spec(name) for name in shares[1][::20])


def test_files_and_other_trees_on_the_command_line_are_left_to_the_collection(tmp_path: Path) -> None:
    assert list(modules_of_tests(["tests/unit/test_bounds.py", f"{tmp_path}", "no-such"], ROOT)) == []
