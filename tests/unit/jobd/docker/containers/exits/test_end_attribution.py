"""Whether the engine's stop ended a container, over any order of occurrences and observations."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.containers.exits.stop_evidence import StopEvidence
from jobd.jobs.port.model import ContainerFacts
from tests.unit.jobd.docker.containers.conftest import container

End = Callable[..., ContainerFacts]
KILLED = (137, 255)
HAPPENINGS = ["stream cut", "stream back", "no answer", "look", "jobd starts", "strangers' signal"]
ENDS = ["by itself", "engine stopped", "engine killed"]


class Scene:
    """One worker under one engine, and jobd's observations of both. The engine restarts after each of its stops."""

    def __init__(self, ended: End, code: int) -> None:
        self.ended, self.code = ended, code
        self.evidence = StopEvidence()
        self.connected = True
        self.restarted = False
        self.over: str | None = None
        self.heard_the_kill = False

    def signal(self) -> None:
        if self.connected:
            self.evidence.signalled_externally()

    def happen(self, what: str) -> None:
        if what == "stream cut":
            self.connected = False
            self.evidence.stream_lost()
        elif what == "stream back":
            self.connected = True
            self.evidence.stream_back()
        elif what == "no answer":
            self.evidence.engine_left()
        elif what == "look" and self.over is None:
            self.evidence.stopped_with_engine(container("running"))
        elif what == "jobd starts":
            self.evidence, self.connected, self.heard_the_kill = StopEvidence(), True, False
        elif what == "strangers' signal":
            self.signal()

    def end(self, how: str) -> None:
        self.over = how
        if how == "by itself":
            return
        if how == "engine stopped":
            self.heard_the_kill = self.connected
            self.signal()
        else:
            self.code = KILLED[self.code % 2]
        self.restarted = True
        self.happen("stream cut")
        self.evidence.engine_left()
        self.happen("stream back")

    def is_the_engines(self, record_tells: bool) -> bool:
        seen = self.ended(self.code)
        was_up = (not self.restarted) if record_tells and self.evidence.needs_record(seen) else None
        return self.evidence.stopped_with_engine(seen, was_up=was_up)


@given(
    before=st.lists(st.sampled_from(HAPPENINGS), max_size=6),
    how=st.sampled_from(ENDS),
    after=st.lists(st.sampled_from(HAPPENINGS), max_size=4),
    code=st.sampled_from([0, 3, 137, 143, 255]),
)
def test_the_engines_record_decides(
    ended: End, before: list[str], how: str, after: list[str], code: int
) -> None:
    scene = Scene(ended, code)
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
def test_without_a_record_the_observed_events_decide(ended: End, before: list[str], how: str) -> None:
    scene = Scene(ended, 0)
    for what in before:
        scene.happen(what)
    scene.end(how)
    assert scene.is_the_engines(record_tells=False) or (how == "engine stopped" and not scene.heard_the_kill)


def test_an_end_while_the_engine_stopped_is_attributed_to_the_engine(ended: End) -> None:
    evidence = StopEvidence()
    evidence.ended_with_engine()
    assert not evidence.stopped_with_engine(ended(0), was_up=True)
    assert evidence.stopped_with_engine(ended(0), was_up=False)
    assert not evidence.stopped_with_engine(ended(0))
