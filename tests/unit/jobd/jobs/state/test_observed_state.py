"""What is taken from the engine's event stream without a look, and whose doing a worker's end is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jobd.jobs.orchestrator import Hint, Observation
from jobd.jobs.state.observed_state import MAX_BLIND_POLLS, ObservedState
from jobd.jobs.state.parts import CancelRequest

KILL = Hint("u", "worker", "kill")
DISCONNECTED = Hint(None, None, "disconnected")
CONNECTED = Hint(None, None, "connected")


@pytest.fixture
def running(job: Callable[..., Any]) -> Any:
    """A walk whose worker runs, under the id that its record has."""
    walk = job().to("running")
    assert walk.record.worker_id == "w"
    return walk


def end_of(walk: Any, code: int = 0, **fields: Any) -> Any:
    return replace(walk.exited(code, **fields), id="w")


def test_a_look_counts_until_something_is_heard(running: Any) -> None:
    observed_state, look = ObservedState(), Observation(None, None)
    observed_state.looked(look, observed_state.heard)
    assert observed_state.seen is look
    heard_before = observed_state.heard
    observed_state.hear(Hint("u", "sidecar", "destroy"), running.record)
    observed_state.looked(look, heard_before)
    assert observed_state.seen is None, "something was heard while looking"


def test_an_end_that_was_told_needs_no_look_and_counts_once(running: Any) -> None:
    observed_state, began = ObservedState(), replace(running.container("running"), id="w")
    observed_state.hear(Hint("u", "worker", "start", began), running.record)
    observed_state.hear(
        Hint("u", "worker", "die", replace(end_of(running, 3), started_at=None)), running.record
    )
    told = observed_state.pop_end_event(running.record)
    assert told is not None
    assert (told.exit_code, told.started_at) == (3, began.started_at)
    assert observed_state.pop_end_event(running.record) is None


def test_an_end_whose_start_was_not_told_needs_a_look(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.hear(
        Hint("u", "worker", "die", replace(end_of(running, 3), started_at=None)), running.record
    )
    assert observed_state.pop_end_event(running.record) is None


def test_a_start_that_was_told_is_known(running: Any) -> None:
    observed_state, began = ObservedState(), replace(running.container("running"), id="w")
    observed_state.hear(Hint("u", "worker", "start", began), running.record)
    assert observed_state.beginning(running.record) == began


@pytest.mark.parametrize("change", [{"id": "another"}, {"exit_code": 137}, {"exit_code": 255}])
def test_another_containers_end_and_a_code_of_many_meanings_need_a_look(
    running: Any, change: dict[str, Any]
) -> None:
    observed_state = ObservedState()
    observed_state.hear(
        Hint("u", "worker", "start", replace(running.container("running"), id="w")), running.record
    )
    observed_state.hear(Hint("u", "worker", "die", replace(end_of(running), **change)), running.record)
    assert observed_state.pop_end_event(running.record) is None


def test_an_end_after_a_signal_that_nobody_here_sent_needs_a_look(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.hear(KILL, running.record)
    observed_state.hear(Hint("u", "worker", "die", end_of(running, 143)), running.record)
    assert observed_state.pop_end_event(running.record) is None


@pytest.mark.parametrize(
    ("hints", "code", "oom", "with_engine"),
    [
        ((), 143, False, False),
        ((KILL,), 143, False, False),
        ((DISCONNECTED,), 143, False, False),
        ((DISCONNECTED,), 137, True, False),
        ((DISCONNECTED,), 137, False, True),
        ((KILL, DISCONNECTED), 143, False, True),
        ((), 255, False, False),
        ((DISCONNECTED,), 255, False, True),
    ],
)
def test_an_end_is_the_engines_doing_where_it_was_away_and_the_worker_was_struck(
    running: Any, hints: tuple[Hint, ...], code: int, oom: bool, with_engine: bool
) -> None:
    observed_state = ObservedState()
    for hint in hints:
        observed_state.hear(hint, running.record)
    assert observed_state.stopped_with_engine(end_of(running, code, oom_killed=oom)) is with_engine


def test_a_call_without_an_answer_counts_as_away_until_the_worker_is_seen_to_run(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.engine_left()
    assert observed_state.stopped_with_engine(end_of(running, 137))
    assert not observed_state.stopped_with_engine(running.container("running"))
    assert not observed_state.stopped_with_engine(end_of(running, 137))


def test_a_worker_that_takes_its_time_after_a_strike_is_still_struck(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.hear(KILL, running.record)
    assert not observed_state.stopped_with_engine(running.container("running"))
    observed_state.engine_left()
    assert observed_state.stopped_with_engine(end_of(running, 0))


def test_one_that_outlived_the_engines_stop_is_struck_no_more(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.hear(KILL, running.record)
    observed_state.engine_left()
    assert not observed_state.stopped_with_engine(running.container("running"))
    observed_state.engine_left()
    assert not observed_state.stopped_with_engine(end_of(running, 0))


def test_one_that_runs_on_while_the_engine_leaves_is_struck_still(running: Any) -> None:
    observed_state = ObservedState()
    observed_state.hear(KILL, running.record)
    observed_state.engine_left()
    assert observed_state.is_in_doubt(running.container("running"))
    assert not observed_state.stopped_with_engine(running.container("running"), leaving=True)
    assert observed_state.stopped_with_engine(end_of(running, 0))


def test_an_end_after_a_signal_of_others_is_in_doubt_until_the_engine_is_known_to_go_or_stay(
    running: Any,
) -> None:
    observed_state = ObservedState()
    assert not observed_state.is_in_doubt(end_of(running, 0))
    observed_state.hear(KILL, running.record)
    assert not observed_state.is_in_doubt(running.container("running"))
    observed_state.hear(KILL, running.record)
    assert observed_state.is_in_doubt(end_of(running, 0))
    assert not observed_state.stopped_with_engine(end_of(running, 0))
    observed_state.engine_left()
    assert not observed_state.is_in_doubt(end_of(running, 0))
    assert observed_state.stopped_with_engine(end_of(running, 0))


def test_a_signal_that_was_wished_here_is_no_strike(running: Any) -> None:
    observed_state = ObservedState()
    requested = running.record.change(cancel=CancelRequest())
    observed_state.hear(KILL, requested)
    observed_state.hear(DISCONNECTED, requested)
    assert not observed_state.stopped_with_engine(end_of(running, 143))


@pytest.mark.parametrize(
    ("away", "code", "with_engine"), [(True, 128, True), (False, 128, False), (True, 127, False)]
)
def test_a_start_that_failed_while_the_engine_went_is_its_doing(
    running: Any, away: bool, code: int, with_engine: bool
) -> None:
    observed_state = ObservedState()
    if away:
        observed_state.engine_left()
    refused = running.container("created", exit_code=code, error="database not open")
    assert observed_state.stopped_with_engine(refused) is with_engine


def test_a_sidecar_that_loads_inputs_is_struck_like_a_worker(job_with_files: Any) -> None:
    observed_state, walk = ObservedState(), job_with_files().to("inputs")
    observed_state.hear(Hint("u", "sidecar", "kill"), walk.record)
    observed_state.hear(DISCONNECTED, walk.record)
    assert observed_state.stopped_with_engine(walk.exited(0))


def test_an_end_that_is_seen_while_the_stream_is_away_waits_for_what_it_says(running: Any) -> None:
    observed_state, ended = ObservedState(), end_of(running, 77)
    assert not observed_state.awaiting_event_stream(ended)
    observed_state.hear(DISCONNECTED, running.record)
    observed_state.hear(DISCONNECTED, running.record)
    assert not observed_state.awaiting_event_stream(running.container("running"))
    assert observed_state.awaiting_event_stream(ended)
    observed_state.hear(KILL, running.record)  # what was missed comes before "connected"
    observed_state.hear(CONNECTED, running.record)
    assert not observed_state.awaiting_event_stream(ended)
    assert observed_state.stopped_with_engine(ended)


def test_a_stream_that_stays_away_is_not_waited_for_for_ever(running: Any) -> None:
    observed_state, looks = ObservedState(), 0
    observed_state.hear(DISCONNECTED, running.record)
    while observed_state.awaiting_event_stream(end_of(running, 77)):
        looks += 1
        observed_state.hear(DISCONNECTED, running.record)
    assert looks == MAX_BLIND_POLLS
    assert not observed_state.stopped_with_engine(end_of(running, 77))
