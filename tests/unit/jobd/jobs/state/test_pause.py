"""A pause: the worker does not start, or stands still, and so does its time limit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jobd.jobs.port.model import ContainerFacts
from jobd.jobs.state import actions, facts, freezing
from jobd.jobs.state.next_action import next_action
from tests.unit.jobd.jobs.conftest import container

Job = Callable[..., Any]
LIMIT_S = 60


def frozen_worker() -> ContainerFacts:
    return container("running", frozen=True)


def asks(a: Any, worker: ContainerFacts, *, group_paused: bool = True) -> actions.Action:
    return next_action(a.record, a.observation(worker), a.now, group_paused=group_paused)


@pytest.fixture
def running(job: Job) -> Any:
    """A job whose worker has begun to run at second 5, and whose limit is 60 s."""
    a = job(timeout_seconds=LIMIT_S).later(5).to("running")
    assert a.record.worker.deadline == a.at(5 + LIMIT_S)
    return a


def freeze(a: Any) -> Any:
    return a.tell(facts.WorkerFreezing(), facts.WorkerFrozen()).look(frozen_worker())


@pytest.mark.parametrize("own", [True, False])
def test_a_worker_of_a_paused_job_does_not_start(job: Job, own: bool) -> None:
    a = job().to("ready")
    if own:
        a.tell(facts.PauseRequested(paused=True))
    assert asks(a, container("created"), group_paused=not own) == actions.Wait(None)
    a.tell(facts.PauseRequested(paused=False))
    assert asks(a, container("created"), group_paused=False) == actions.StartWorker()


def test_all_before_the_start_is_done_during_a_pause(job_with_files: Job) -> None:
    pause = facts.PauseRequested(paused=True)
    assert asks(job_with_files().tell(pause).to("pulling"), container("created")) == actions.Prepare()
    a = job_with_files().tell(pause).created()
    assert asks(a, container("created")) == actions.StartSidecar()
    a = job_with_files().tell(pause).to("ready")
    assert asks(a, container("created")) == actions.Wait(None)


def test_a_pause_freezes_the_worker_and_a_resume_thaws_it(running: Any) -> None:
    a = running
    assert asks(a, container("running")) == actions.FreezeWorker()
    freeze(a)
    assert asks(a, frozen_worker()) == actions.Wait(None)
    assert asks(a, frozen_worker(), group_paused=False) == actions.ThawWorker()
    a.later(100).tell(facts.WorkerThawing(), facts.WorkerThawed()).look(container("running"))
    assert asks(a, container("running"), group_paused=False) == actions.Wait(a.at(5 + LIMIT_S + 100))
    assert a.record.frozen_s == 100


def test_a_jobs_own_pause_and_its_groups_hold_until_both_have_ended(running: Any) -> None:
    a = freeze(running.tell(facts.PauseRequested(paused=True)))
    assert asks(a, frozen_worker(), group_paused=False) == actions.Wait(None)
    a.tell(facts.PauseRequested(paused=False))
    assert asks(a, frozen_worker(), group_paused=True) == actions.Wait(None)
    assert asks(a, frozen_worker(), group_paused=False) == actions.ThawWorker()


def test_the_time_limit_stands_still_from_the_request_on(running: Any) -> None:
    a = running.tell(facts.WorkerFreezing()).later(3600).tell(facts.TimePassed())
    assert not a.record.timed_out
    a.look(frozen_worker())  # the answer was lost, or jobd was killed
    assert asks(a, frozen_worker()) == actions.Wait(None)
    a.later(3600).tell(facts.WorkerThawing(), facts.WorkerThawed(), facts.TimePassed())
    assert not a.record.timed_out
    assert a.record.frozen_s == 7200
    a.later(LIMIT_S).tell(facts.TimePassed())
    assert a.record.timed_out


def test_a_request_that_did_not_reach_the_engine_gives_no_time(running: Any) -> None:
    a = running.tell(facts.WorkerFreezing()).later(30).look(container("running"))
    assert (a.record.worker.freeze, a.record.frozen_s) == (None, 0)
    assert asks(a, container("running")) == actions.FreezeWorker()
    assert a.record.worker.deadline == a.at(5 + LIMIT_S)


def test_a_thaw_without_an_answer_ends_the_pause_when_it_was_requested(running: Any) -> None:
    a = freeze(running).later(10).tell(facts.WorkerThawing()).later(20)
    a.look(container("running"))  # jobd was killed meanwhile
    assert (a.record.worker.freeze, a.record.frozen_s) == (None, 10)


def test_a_thaw_that_did_not_reach_the_engine_ends_nothing(running: Any) -> None:
    a = freeze(running).later(10).tell(facts.WorkerThawing()).later(20).look(frozen_worker())
    assert asks(a, frozen_worker(), group_paused=False) == actions.ThawWorker()
    a.tell(facts.WorkerThawing(), facts.WorkerThawed())
    assert a.record.frozen_s == 30


def test_a_worker_that_another_program_thaws_is_frozen_again(running: Any) -> None:
    a = freeze(running).later(10).look(container("running"))
    assert (a.record.worker.freeze, a.record.frozen_s) == (None, 10)
    assert asks(a, container("running")) == actions.FreezeWorker()


def test_a_worker_that_is_thawed_at_once_is_not_frozen_again_and_again(running: Any) -> None:
    a = freeze(running).later(1).look(container("running"))
    assert a.record.worker.freeze_refusal.error == freezing.NOT_KEPT
    assert isinstance(asks(a, container("running")), actions.Wait)


def test_a_worker_that_another_program_freezes_is_left_alone(running: Any) -> None:
    a = running.look(frozen_worker())
    assert asks(a, frozen_worker(), group_paused=False) == actions.Wait(a.at(5 + LIMIT_S))


def test_a_refusal_is_kept_and_tried_again_later(running: Any) -> None:
    a = running.tell(facts.WorkerFreezing(), facts.FreezeRefused("no freezer"))
    assert (a.record.worker.freeze, a.record.frozen_s) == (None, 0)
    assert asks(a, container("running")) == actions.Wait(a.now + freezing.REFUSED_AGAIN)
    assert asks(a, container("running"), group_paused=False) == actions.ThawWorker(), "forgets the refusal"
    again = a.record.worker.freeze_refusal.since + freezing.REFUSED_AGAIN
    asked = next_action(a.record, a.observation(container("running")), again, group_paused=True)
    assert asked == actions.FreezeWorker()
    a.tell(facts.PauseRequested(paused=True))
    assert asks(a, container("running")) == actions.FreezeWorker(), "the user asks again"
    a.tell(facts.WorkerFreezing(), facts.FreezeRefused("no freezer"), facts.WorkerThawing())
    assert a.record.worker.freeze_refusal is None


@pytest.mark.parametrize("grace_s", [0.0, 10.0])
def test_a_cancel_thaws_the_worker_and_stops_it_at_once(running: Any, grace_s: float) -> None:
    a = freeze(running).later(10).tell(facts.CancelRequested(by="me", grace_s=grace_s, delete=False))
    assert asks(a, frozen_worker()) == actions.ThawWorker()
    a.tell(facts.WorkerThawing(), facts.WorkerThawed())
    assert asks(a, container("running")) == actions.Signal("worker", kill=grace_s == 0)
    assert a.tell(facts.WorkerFreezing()).record.worker.freeze is None, "a late freeze changes nothing"


def test_an_end_during_a_pause_ends_the_pause(running: Any) -> None:
    a = freeze(running).later(10)
    a.look(container("ended", exit_code=137, finished_at=a.now)).tell(facts.LogsDrained())
    assert a.record.ended
    assert a.record.frozen_s == 10
    assert a.data("complete")["durations"] == {
        "queued": 5,
        "preparing": 0,
        "running": 10,
        "finishing": 0,
        "total": 15,
        "paused": 10,
    }


def test_an_end_after_an_unconfirmed_request_gives_no_time(running: Any) -> None:
    a = running.tell(facts.WorkerFreezing()).later(10)
    a.look(container("ended", exit_code=0, finished_at=a.now)).tell(facts.LogsDrained())
    assert a.record.frozen_s == 0
    assert "paused" not in a.data("complete")["durations"]


def test_a_step_of_the_clock_changes_no_length(running: Any) -> None:
    a = freeze(running).later(10)
    a.now -= timedelta(days=1)
    a.tell(facts.ClockMoved("", -86400.0), facts.WorkerThawing()).later(5)
    a.now += timedelta(days=2)
    a.tell(facts.ClockMoved("", 86400.0), facts.WorkerThawed())
    assert a.record.frozen_s == 10
    assert a.record.worker.deadline - a.now == timedelta(seconds=LIMIT_S - 5)
