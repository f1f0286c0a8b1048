"""Whose doing an end is, over any order of what happens and of what is heard of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.orchestrator import Hint
from jobd.jobs.state.observed_state import ObservedState

KILL, DIE = Hint("u", "worker", "kill"), Hint("u", "worker", "die")
DISCONNECTED, CONNECTED = Hint(None, None, "disconnected"), Hint(None, None, "connected")
KILLED = (137, 255)
HAPPENINGS = ["stream cut", "stream back", "no answer", "look", "jobd starts", "strangers' signal"]
ENDS = ["by itself", "engine stopped", "engine killed"]


class Scene:
    """One worker under one engine, and what this jobd hears of both. The engine starts again after each end of its own."""

    def __init__(self, walk: Any, code: int) -> None:
        self.walk, self.code = walk, code
        self.record = walk.record
        self.observed_state = ObservedState()
        self.connected = True
        self.restarted = False
        self.over: str | None = None
        self.heard_the_kill = False

    def hear(self, hint: Hint) -> None:
        if self.connected or hint in (DISCONNECTED, CONNECTED):
            self.observed_state.hear(hint, self.record)

    def happen(self, what: str) -> None:
        if what == "stream cut":
            self.connected = False
            self.hear(DISCONNECTED)
        elif what == "stream back":
            self.connected = True
            self.hear(CONNECTED)
        elif what == "no answer":
            self.observed_state.engine_left()
        elif what == "look" and self.over is None:
            self.observed_state.stopped_with_engine(self.walk.container("running"))
        elif what == "jobd starts":
            self.observed_state, self.connected, self.heard_the_kill = ObservedState(), True, False
        elif what == "strangers' signal":
            self.hear(KILL)

    def end(self, how: str) -> None:
        self.over = how
        if how == "by itself":
            self.hear(DIE)
            return
        if how == "engine stopped":
            self.heard_the_kill = self.connected
            self.hear(KILL)
            self.hear(DIE)
        else:
            self.code = KILLED[self.code % 2]
        self.restarted = True
        self.happen("stream cut")
        self.observed_state.engine_left()
        self.happen("stream back")

    def is_the_engines(self, record_tells: bool) -> bool:
        watched = replace(self.walk.exited(self.code), id="w")
        was_up = (not self.restarted) if record_tells and self.observed_state.needs_record(watched) else None
        return self.observed_state.stopped_with_engine(watched, was_up=was_up)


@pytest.fixture(scope="module")
def walk(job: Callable[..., Any]) -> Any:
    return job().to("running")


@given(
    before=st.lists(st.sampled_from(HAPPENINGS), max_size=6),
    how=st.sampled_from(ENDS),
    after=st.lists(st.sampled_from(HAPPENINGS), max_size=4),
    code=st.sampled_from([0, 3, 137, 143, 255]),
)
def test_the_engines_record_decides(
    walk: Any, before: list[str], how: str, after: list[str], code: int
) -> None:
    scene = Scene(walk, code)
    for what in before:
        scene.happen(what)
    scene.end(how)
    for what in after:
        scene.happen(what)
    theirs = scene.is_the_engines(record_tells=True)
    if how == "by itself":
        assert not theirs, "the engine was up all the time: the code is the worker's own, whatever was heard"
    elif scene.code in KILLED or scene.heard_the_kill:
        assert theirs, "the engine was started again since, and the worker was killed"


@given(
    before=st.lists(st.sampled_from(HAPPENINGS), max_size=6),
    how=st.sampled_from(["engine stopped", "engine killed"]),
)
def test_without_a_record_what_was_heard_decides(walk: Any, before: list[str], how: str) -> None:
    scene = Scene(walk, 0)
    for what in before:
        scene.happen(what)
    scene.end(how)
    assert scene.is_the_engines(record_tells=False) or (how == "engine stopped" and not scene.heard_the_kill)


def test_an_end_that_was_seen_while_the_engine_went_is_its_doing(walk: Any) -> None:
    observed_state, ended = ObservedState(), walk.exited(0)
    observed_state.ended_with_engine()
    assert not observed_state.stopped_with_engine(ended, was_up=True)
    assert observed_state.stopped_with_engine(ended, was_up=False)
    assert not observed_state.stopped_with_engine(ended)
