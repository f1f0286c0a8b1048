"""The times that people read are in one order, for any clocks of the facts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import ContainerFacts, ContainerState, Created, ImageFacts, Observation
from jobd.jobs.state import facts
from jobd.jobs.state.run_times import began
from jobd.jobs.view import view_of
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import START, Walk

Job = Callable[..., Any]
STEPS = st.floats(-90_000, 90_000)
MOMENTS = st.one_of(
    st.none(), st.integers(-3_000_000, 3_000_000).map(lambda seconds: START + timedelta(seconds=seconds))
)


def shown(walk: Walk) -> list[str]:
    view = view_of(walk.record, walk.spec, queue_position=None, progress=None, retention_s=900)
    moments = [view.created_at]
    for attempt in view.attempts:
        moments += [attempt.started_at, attempt.finished_at]
    return [moment for moment in (*moments, view.finished_at) if moment is not None]


@given(
    st.lists(st.tuples(STEPS, MOMENTS, MOMENTS, st.sampled_from([0, 1])), min_size=1, max_size=3),
    st.lists(STEPS, min_size=6, max_size=6),
)
def test_times_of_any_clocks_are_in_order(
    runs: list[tuple[float, datetime | None, datetime | None, int]], steps: list[float]
) -> None:
    a = Walk(JobSpec(id="a", image="b", retries=2, timeout_seconds=86_400))
    for step_s, started_at, finished_at, code in runs:
        if a.record.ended:
            break
        later = iter(steps)
        a.later(step_s).tell(facts.Admitted()).later(next(later))
        a.tell(facts.ImageReady(ImageFacts("i", None)), facts.Prepared(Created("w", None)))
        a.later(next(later)).tell(facts.WorkerStarting()).later(next(later))
        attempt = a.record.attempt.number
        running = ContainerFacts("w", ContainerState.RUNNING, attempt, started_at or a.now)
        a.tell(facts.Observed(Observation(running, None))).later(next(later))
        end = ContainerFacts(
            "w", ContainerState.ENDED, attempt, started_at or START, finished_at, exit_code=code
        )
        a.tell(facts.Observed(Observation(end, None))).later(next(later)).tell(facts.LogsDrained())
    record = a.record
    moments = [record.created_at, *(m for e in record.earlier for m in (e.started_at, e.exited_at))]
    moments += [record.admitted_at, record.started_at, record.exited_at, record.finished_at]
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
    assert shown(a) == sorted(shown(a))
    if record.ended:
        durations = a.data("complete")["durations"]
        parts = sum(durations[name] for name in ("queued", "preparing", "running", "finishing"))
        if not record.earlier:
            assert parts == pytest.approx(durations["total"], abs=1e-5)
        assert all(seconds >= 0 for seconds in durations.values())


@pytest.mark.parametrize("skew_s", [-86_400, -0.4, 0, 0.4, 86_400])
def test_a_workers_run_time_comes_from_the_engines_clock_alone(job: Job, skew_s: float) -> None:
    skew = timedelta(seconds=skew_s)
    a = job().to("ready").tell(facts.WorkerStarting()).later(1)
    began, over = START + timedelta(seconds=0.5) + skew, START + timedelta(seconds=7.5) + skew
    a.look(a.container("running", started_at=began)).later(9)
    a.look(a.container("ended", started_at=began, finished_at=over, exit_code=0)).tell(facts.LogsDrained())
    assert a.data("complete")["durations"]["running"] == 7
    assert START <= a.record.started_at <= START + timedelta(seconds=1)


def test_a_start_that_was_observed_late_is_not_after_the_end(job: Job) -> None:
    """The answer to a start arrives after a short worker's end, by the engine's clock."""
    a = job().to("ready").tell(facts.WorkerStarting()).later(3)
    a.look(a.container("running", started_at=a.now))
    a.later(0.1).look(a.exited(0)).tell(facts.LogsDrained())
    assert a.record.started_at <= a.record.exited_at <= a.record.finished_at


def test_an_event_is_not_earlier_than_its_facts(job: Job) -> None:
    from jobd.jobs.job_repository import number

    a = job().to("drained").later(-3600)
    drafts = len(a.drafts)
    a.tell(facts.LogsDrained())
    _, events = number(a.record, a.spec, a.drafts[drafts:], a.now)
    assert all(
        a.record.exited_at.isoformat()[:19] <= str(event.body.split(b'"time":"')[1][:19], "ascii")
        for event in events
    )


@pytest.mark.parametrize(
    ("at_s", "now_s", "began_s"),
    [
        (2, 3, 2),
        (-3600, 3, 3),  # the engine's clock is an hour behind: the request took 3 s, and its answer was lost
        (3600, 3, 3),
        (-3600, 3600, 0),  # jobd was away for an hour
        (7200, 3600, 0),
        (0, 0, 0),
    ],
)
def test_a_start_by_another_clock_makes_no_time_limit_end_early(at_s: int, now_s: int, began_s: int) -> None:
    def moment(seconds: int) -> datetime:
        return START + timedelta(seconds=seconds)

    assert began(moment(0), moment(at_s), moment(now_s)) == moment(began_s)
