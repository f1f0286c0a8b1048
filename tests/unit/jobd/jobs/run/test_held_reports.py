"""Reports that wait for the end of a drain keep their order and are bounded."""

import pytest

from jobd.jobs.run.held_reports import MAX_HELD_BYTES, HeldReports
from jobd.jobs.state.facts import Reported
from jobd.store.errors import StaleJob
from jobd.wire.report import Done, OutputsStarted

FIRST, SECOND = Reported(OutputsStarted(n=5)), Reported(Done(n=6))


def test_held_reports_keep_their_order() -> None:
    held = HeldReports()
    held.add([FIRST], 100)
    held.add([SECOND], 100)
    assert list(held.facts) == [FIRST, SECOND]
    held.clear()
    assert list(held.facts) == []


def test_held_reports_are_bounded_in_bytes() -> None:
    held = HeldReports()
    held.add([FIRST], MAX_HELD_BYTES - 1)
    held.add([SECOND], MAX_HELD_BYTES)
    with pytest.raises(StaleJob):
        held.add([SECOND], 1)
    assert list(held.facts) == [FIRST, SECOND]
    held.clear()
    held.add([FIRST], 1)
