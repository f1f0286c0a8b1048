"""Random walks of the dispatcher keep its rules, and find a broken rule."""

import asyncio
from typing import Any

import pytest
from hypothesis import Phase

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.queues.work_queue import Taken
from jobd.events.delivery.workers import Workers
from jobd.store.tables.delivery_rows import Due
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
                injection="any order of events, answers, waits, replays, steps of the wall clock and crashes",
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
    assert walked["clock steps"] > steps // 100


class TwoAtOnce(Workers):
    """A broken rule: sends a job's next delivery, if in memory, together with the first."""

    def _sent_over_open_connection(self, taken: Taken) -> bool:
        return False

    async def _send(self, run: list[Due]) -> Answer:
        ahead = self._queue._queues._jobs[run[0].job_uid].ahead
        sending = [super(TwoAtOnce, self)._send(one) for one in (run, [ahead[0]] if ahead else []) if one]
        return (await asyncio.gather(*sending))[0]


class Mutant(Dispatcher):
    """A dispatcher with these workers."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._workers.__class__ = TwoAtOnce


class Mutated(Walk):
    """The same walk with a broken rule."""

    dispatchers = Mutant


def test_the_walk_finds_a_second_request_of_one_job() -> None:
    with pytest.raises(AssertionError, match="two of j"):
        check(Mutated, 50, (Phase.generate,))
