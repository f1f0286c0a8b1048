"""The watch's state: each change is told once, a list tells what a break has hidden, and foreign Pods count for nothing."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.hints import Changed, Ended, SignalledExternally, Started
from jobd.jobs.port.model import ContainerState, JobRef
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.watch.state import EXPECTED, WatchState
from tests.unit.jobd.kubernetes.pods import INSTANCE, REF, pod, running, terminated, waiting

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LIFE = [
    pod(gated=True, node="", phase="Pending", version="1"),
    pod(worker=waiting("ContainerCreating"), phase="Pending", version="2"),
    pod(worker=running(), version="3"),
    pod(worker=terminated(3), phase="Failed", version="4"),
]


def kinds(hints: list[Any]) -> list[type]:
    return [type(hint) for hint in hints]


def test_a_life_is_told_in_its_order() -> None:
    state = WatchState(INSTANCE)
    state.listed([], "0", NOW)
    told = [state.changed(one, NOW) for one in LIFE]
    assert [kinds(hints) for hints in told] == [[Changed], [Changed], [Started], [Ended]]
    (begun,), (over,) = told[2], told[3]
    assert isinstance(begun, Started)
    assert isinstance(over, Ended)
    assert begun.facts is not None
    assert over.facts is not None
    assert (begun.facts.state, over.facts.exit_code) == (ContainerState.RUNNING, 3)
    assert state.resource_version == "4"
    assert kinds(state.deleted(LIFE[-1], NOW))[-1] is Changed
    assert len(state) == 0


def test_a_worker_that_ended_between_two_looks_has_started_too() -> None:
    state = WatchState(INSTANCE)
    state.changed(LIFE[1], NOW)
    assert kinds(state.changed(LIFE[3], NOW)) == [Started, Ended]


def test_a_deletion_by_somebody_else_is_an_external_signal_and_jobds_own_is_not() -> None:
    for own in (True, False):
        state = WatchState(INSTANCE)
        state.changed(LIFE[2], NOW)
        if own:
            state.expect("pod-1")
        hints = state.changed(pod(worker=running(), deleted=True), NOW)
        assert (SignalledExternally in kinds(hints)) is not own
        assert SignalledExternally not in kinds(state.changed(pod(worker=running(), deleted=True), NOW))


def test_a_list_after_a_break_tells_what_has_changed_and_what_is_gone() -> None:
    other = JobRef(uid="f" * 24, id="b")
    state = WatchState(INSTANCE)
    state.listed([LIFE[1], pod(uid="pod-2", ref=other, worker=running())], "9", NOW)
    state.expired()
    assert state.resource_version == ""
    hints = state.listed([LIFE[2]], "12", NOW)
    assert {(type(hint), hint.uid) for hint in hints} == {(Started, REF.uid), (Changed, other.uid)}  # type: ignore[union-attr]
    assert state.resource_version == "12"
    state.bookmark("20")
    assert state.resource_version == "20"


def test_a_pod_of_somebody_else_is_not_told() -> None:
    state = WatchState("another")
    assert state.changed(LIFE[2], NOW) == []
    damaged = msgspec.structs.replace(
        LIFE[2], metadata=msgspec.structs.replace(LIFE[2].metadata, annotations={})
    )
    assert WatchState(INSTANCE).changed(damaged, NOW) == []


def test_what_is_expected_is_bounded() -> None:
    state = WatchState(INSTANCE)
    for number in range(2 * EXPECTED):
        state.expect(str(number))
    assert len(state._expected) == EXPECTED


STEPS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12)


@given(STEPS)
def test_whatever_is_missed_a_list_ends_in_the_same_state_as_every_event(
    steps: list[tuple[int, bool]],
) -> None:
    """`seen` False: the event is lost, and a list follows."""
    one, other = WatchState(INSTANCE), WatchState(INSTANCE)
    for number, seen in steps:
        all_of_it = one.changed(LIFE[number], NOW)
        rest = other.changed(LIFE[number], NOW) if seen else []
        if not seen:
            rest = other.listed([LIFE[number]], "5", NOW)
        assert kinds(rest) == kinds(all_of_it)
    assert one._pods == other._pods


def test_the_state_of_a_pod_is_a_value() -> None:
    state = WatchState(INSTANCE)
    state.changed(LIFE[2], NOW)
    assert all(dataclasses.is_dataclass(one) for one in state._pods.values())
    assert isinstance(LIFE[2], Pod)
