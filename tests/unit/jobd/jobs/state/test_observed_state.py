"""When an observation is out of date, and which hints replace an observation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.hints import Changed, Connected, Disconnected, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerState, Observation
from jobd.jobs.state.observed_state import (
    OBSERVATIONS_A_SECOND,
    OBSERVE_INTERVAL_S,
    ObservedState,
    observe_interval_s,
)


@pytest.fixture
def running(job: Callable[..., Any]) -> Any:
    """A walk whose worker runs under the record's id."""
    walk = job().to("running")
    assert walk.record.worker_id == "w"
    return walk


def end_of(walk: Any, code: int = 0, **fields: Any) -> Any:
    return replace(walk.exited(code, **fields), id="w", started_at=None)


@pytest.mark.parametrize(
    "hint",
    [
        Connected(),
        Disconnected(),
        Started("u", "sidecar"),
        Ended("u", "worker"),
        SignalledExternally("u", "worker"),
        Changed("u", "sidecar"),
        Changed(),
    ],
    ids=lambda hint: type(hint).__name__,
)
def test_an_observation_counts_until_a_hint_comes(hint: Hint) -> None:
    observed_state, seen = ObservedState(), Observation(None, None)
    observed_state.keep(seen, observed_state.hint_count)
    assert observed_state.observation is seen
    before = observed_state.hint_count
    observed_state.take_hint(hint)
    observed_state.keep(seen, before)
    assert observed_state.observation is None, "a hint came while the containers were observed"


def test_a_start_that_the_engine_has_answered_is_as_good_as_an_observation(running: Any) -> None:
    worker = replace(running.container(ContainerState.RUNNING), id="w")
    for hints in ([], [Started("u", "worker", worker)]):
        observed_state = ObservedState()
        for hint in hints:
            observed_state.take_hint(hint)
        observed_state.started(worker, 0)
        assert observed_state.observation == Observation(worker, None)


@pytest.mark.parametrize(
    "hint",
    [
        Ended("u", "worker"),
        Changed("u", "worker"),
        Ended("u", "sidecar"),
        SignalledExternally("u", "worker"),
        Disconnected(),
    ],
    ids=lambda hint: type(hint).__name__,
)
@pytest.mark.parametrize("start_told", [True, False])
def test_a_start_after_which_another_hint_came_needs_an_observation(
    running: Any, hint: Hint, start_told: bool
) -> None:
    observed_state, worker = ObservedState(), replace(running.container(ContainerState.RUNNING), id="w")
    if start_told:
        observed_state.take_hint(Started("u", "worker", worker))
    observed_state.take_hint(hint)
    observed_state.started(worker, 0)
    assert observed_state.observation is None


@pytest.mark.parametrize("hint", [Disconnected(), SignalledExternally("u", "worker")])
def test_a_start_after_a_disturbance_needs_an_observation_until_one_was_made(
    running: Any, hint: Hint
) -> None:
    observed_state, worker = ObservedState(), replace(running.container(ContainerState.RUNNING), id="w")
    observed_state.take_hint(hint)
    observed_state.started(worker, observed_state.hint_count)
    assert observed_state.observation is None
    observed_state.keep(Observation(worker, None), observed_state.hint_count)
    observed_state.forget()
    observed_state.started(worker, observed_state.hint_count)
    assert observed_state.observation == Observation(worker, None)


def test_an_end_event_needs_no_observation_and_counts_once(running: Any) -> None:
    observed_state, began = ObservedState(), replace(running.container("running"), id="w")
    observed_state.take_hint(Started("u", "worker", began))
    observed_state.take_hint(Ended("u", "worker", end_of(running, 3)))
    end = observed_state.pop_end_event(running.record)
    assert end is not None
    assert (end.exit_code, end.started_at) == (3, began.started_at)
    assert observed_state.pop_end_event(running.record) is None


def test_an_end_without_a_start_event_is_observed(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.take_hint(Ended("u", "worker", end_of(running, 3)))
    assert observed_state.pop_end_event(running.record) is None


def test_a_start_event_is_kept(running: Any) -> None:
    observed_state, began = ObservedState(), replace(running.container("running"), id="w")
    observed_state.take_hint(Started("u", "worker", began))
    assert observed_state.start_event(running.record) == began


def test_an_end_without_facts_and_one_of_another_container_are_observed(running: Any) -> None:
    for ended in (
        Ended("u", "worker"),
        Ended("u", "worker", replace(end_of(running), id="another")),
        Ended("u", "sidecar", end_of(running)),
    ):
        observed_state = ObservedState()
        observed_state.take_hint(Started("u", "worker", replace(running.container("running"), id="w")))
        observed_state.take_hint(ended)
        assert observed_state.pop_end_event(running.record) is None, ended


def ended_after(running: Any, *disturbances: Hint) -> ObservedState:
    observed_state = ObservedState()
    observed_state.take_hint(Started("u", "worker", replace(running.container("running"), id="w")))
    for hint in disturbances:
        observed_state.take_hint(hint)
    observed_state.take_hint(Ended("u", "worker", end_of(running)))
    assert observed_state.pop_end_event(running.record) is not None
    return observed_state


def test_an_end_is_heard_unless_jobd_may_have_missed_something(running: Any) -> None:
    assert not ObservedState().end_heard
    heard = ended_after(running)
    assert heard.end_heard
    assert not ended_after(running, Disconnected(), Connected()).end_heard
    assert not ended_after(running, SignalledExternally("u", "worker")).end_heard
    heard.forget()
    assert not heard.end_heard, "another start, or a signal of jobd, follows"


def test_an_end_that_jobd_must_observe_is_not_heard(running: Any) -> None:
    observed_state = ended_after(running)
    assert observed_state.pop_end_event(running.record) is None
    assert not observed_state.end_heard


@given(st.integers(0, 100_000), st.floats(0, 1, exclude_max=True))
def test_the_looks_at_all_running_jobs_are_bounded_and_at_few_jobs_frequent(count: int, turn: float) -> None:
    soonest_s, latest_s = observe_interval_s(count, 0), observe_interval_s(count, 1)
    assert soonest_s <= observe_interval_s(count, turn) <= latest_s
    assert count <= (soonest_s + latest_s) / 2 * OBSERVATIONS_A_SECOND * (1 + 1e-9)
    assert soonest_s == OBSERVE_INTERVAL_S or count > OBSERVE_INTERVAL_S * OBSERVATIONS_A_SECOND
    assert count <= OBSERVE_INTERVAL_S * OBSERVATIONS_A_SECOND or latest_s > soonest_s
