"""Random walks of the dispatcher keep its rules, and find a broken rule."""

import asyncio

import pytest
from hypothesis import Phase

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.response_policy import Answer
from jobd.store.tables.rows import Due
from tests.support.delivery.delivery_walk import Walk, check, walked


@pytest.fixture(autouse=True)
def quiet_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")  # thousands of deliveries fail on purpose


@pytest.mark.parametrize(
    "steps",
    [
        2_000,
        pytest.param(
            10_000,
            marks=pytest.mark.fault(
                row="Receiver",
                injection="any order of events, answers, waits, replays and crashes",
                invariant="no event lost, out of order, stuck, or repeated without a reason",
            ),
        ),
    ],
)
def test_no_walk_loses_doubles_reorders_or_blocks_an_event(steps: int) -> None:
    walked.clear()
    while walked["steps"] < steps:
        check(Walk, steps // 250, (Phase.generate, Phase.shrink))
    assert walked["crashes"] > steps // 100


class TwoAtOnce(Dispatcher):
    """A broken rule: sends a job's next delivery, if in memory, together with the first."""

    async def _send(self, run: list[Due]) -> Answer:
        ahead = self._queue._queues._jobs[run[0].job_uid].ahead
        sending = [Dispatcher._send(self, one) for one in (run, [ahead[0]] if ahead else []) if one]
        return (await asyncio.gather(*sending))[0]


class Mutated(Walk):
    """The same walk with a broken rule."""

    dispatchers = TwoAtOnce


def test_the_walk_finds_a_second_request_of_one_job() -> None:
    with pytest.raises(AssertionError, match="two of j"):
        check(Mutated, 50, (Phase.generate,))
