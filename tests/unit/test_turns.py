"""Turns of tests in several processes: each lock here is taken through a file of its own, as other processes do."""

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import DEADLINE_S, until
from tests.support.plugins.turns import turn


class Other:
    """Another test's turn, on a thread."""

    def __init__(self, locks: Path, *, alone: bool) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self._locks, self._alone = locks, alone
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with turn(self._locks, alone=self._alone):
            self.began.set()
            self.may_end.wait(DEADLINE_S)

    def end(self) -> None:
        self.may_end.set()
        self._thread.join(DEADLINE_S)


@pytest.fixture
def others() -> Iterator[list[Other]]:
    made: list[Other] = []
    yield made
    for other in made:
        other.end()


def gate_is_closed(locks: Path) -> bool:
    """Whether a test waits to be alone, or is."""
    with (locks / "gate").open("a") as gate:
        try:
            fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_tests_run_side_by_side(tmp_path: Path) -> None:
    with turn(tmp_path, alone=False), turn(tmp_path, alone=False):
        pass


def test_one_that_runs_alone_waits_for_others_and_is_waited_for(tmp_path: Path, others: list[Other]) -> None:
    with turn(tmp_path, alone=False):
        alone = Other(tmp_path, alone=True)
        others.append(alone)
        until(lambda: gate_is_closed(tmp_path), "the other test waits to be alone")
        newcomer = Other(tmp_path, alone=False)
        others.append(newcomer)
        assert not alone.began.is_set()
    assert alone.began.wait(DEADLINE_S)
    assert not newcomer.began.is_set(), "a newcomer goes after the test that waits to be alone"
    alone.end()
    assert newcomer.began.wait(DEADLINE_S)
