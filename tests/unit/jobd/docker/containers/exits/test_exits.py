"""Events as hints, and what ended a container: the requests to the engine, and when they are sent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from jobd.docker.containers.exits import exits
from jobd.docker.containers.exits.exits import ContainerExits
from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.mapping import labels
from jobd.docker.mapping.inspection import EngineEvent
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.hints import Changed, Ended, SignalledExternally, Started
from jobd.jobs.port.model import ContainerFacts, EndCause, JobRef, Role

REF = JobRef("u", "j", 2)
End = Callable[..., ContainerFacts]


class Causes(ContainerExits):
    """By default jobd has seen the containers start, and the engine is up, was up throughout, and has no `oom` event."""

    def __init__(self) -> None:
        self.signals = OwnSignals()
        super().__init__(None, "one", self.signals, self._answers)  # type: ignore[arg-type]
        self._uptime: Any = self
        self.stays = True
        self.was_up: bool | None = True
        self.signalled = False
        self.asked: list[str] = []
        for role in labels.ROLES:
            self.event("start", role)

    async def _answers(self) -> None:
        self.asked.append("stays")
        if not self.stays:
            raise EngineUnavailable("accepts no new connections")

    async def spans(self, container_id: str) -> bool | None:
        self.asked.append("record")
        return self.was_up

    async def ended_at_start(self, container_id: str) -> bool:
        self.asked.append("signal")
        return self.signalled

    def event(self, action: str, role: Role = "worker", **attributes: str) -> Any:
        raw = {
            "Type": "container",
            "Action": action,
            "Actor": {"ID": "w", "Attributes": {**labels.container_labels(REF, "one", role), **attributes}},
            "timeNano": 10**18,
        }
        return self.hint(msgspec.convert(raw, EngineEvent))


@pytest.fixture
def causes(monkeypatch: pytest.MonkeyPatch) -> Causes:
    made = Causes()

    async def killed_for_memory(engine: object, container_id: str) -> bool:
        made.asked.append("memory")
        return False

    monkeypatch.setattr(exits, "killed_for_memory", killed_for_memory)
    return made


def test_start_and_end_hints_carry_the_facts_of_their_events(causes: Causes) -> None:
    began, over = causes.event("start"), causes.event("die", exitCode="3")
    assert isinstance(began, Started)
    assert isinstance(over, Ended)
    assert (began.uid, began.role, over.uid, over.role) == ("u", "worker", "u", "worker")
    assert began.facts is not None
    assert over.facts is not None
    assert (began.facts.id, began.facts.attempt) == ("w", 2)
    assert (over.facts.exit_code, over.facts.cause) == (3, EndCause.OWN_EXIT)


@pytest.mark.parametrize("code", ["137", "255"])
def test_an_end_event_with_an_ambiguous_code_carries_no_facts(causes: Causes, code: str) -> None:
    assert causes.event("die", exitCode=code) == Ended("u", "worker")


def test_a_signal_from_jobd_is_not_external(causes: Causes) -> None:
    causes.signals.expect("w", "SIGTERM")
    assert causes.event("kill", signal="15") == Changed("u", "worker")
    assert causes.event("kill", signal="15") == SignalledExternally("u", "worker")
    assert causes.event("die", exitCode="143") == Ended("u", "worker"), "the cause is to be asked for"


@pytest.mark.parametrize("action", ["oom", "destroy"])
def test_other_events_are_changes(causes: Causes, action: str) -> None:
    assert causes.event(action, "sidecar") == Changed("u", "sidecar")
    assert causes.event("exec_start") is None


async def test_an_end_without_doubt_needs_no_request(causes: Causes, ended: End) -> None:
    assert await causes.of("u", "worker", ended(3)) is EndCause.OWN_EXIT
    assert causes.asked == []


@pytest.mark.parametrize(
    ("was_up", "cause"),
    [(True, EndCause.OWN_EXIT), (False, EndCause.ENGINE_STOPPED), (None, EndCause.OWN_EXIT)],
)
async def test_the_engines_start_time_decides_for_an_ambiguous_code(
    causes: Causes, ended: End, was_up: bool | None, cause: EndCause
) -> None:
    causes.was_up = was_up
    assert await causes.of("u", "worker", ended(255)) is cause
    assert causes.asked == (["record"] if was_up is not False else ["record", "signal"])


@pytest.mark.parametrize(
    ("was_up", "signalled", "cause"),
    [
        (True, False, EndCause.OWN_EXIT),
        (None, False, EndCause.OWN_EXIT),
        (False, False, EndCause.OWN_EXIT),
        (False, True, EndCause.ENGINE_STOPPED),
    ],
)
async def test_an_end_that_jobd_missed_may_be_the_doing_of_an_engine_that_started_since(
    causes: Causes, ended: End, was_up: bool | None, signalled: bool, cause: EndCause
) -> None:
    causes.forget("u")
    causes.was_up, causes.signalled = was_up, signalled
    assert await causes.of("u", "worker", ended(0)) is cause
    assert causes.asked[0] == "record"


@pytest.mark.parametrize("role", ["worker", "sidecar"])
async def test_an_end_after_a_signal_waits_until_the_engine_is_known_to_stay(
    causes: Causes, ended: End, role: Role
) -> None:
    causes.event("kill", role, signal="15")
    causes.stays = False
    assert await causes.of("u", role, ended(0)) is EndCause.ENGINE_STOPPED
    other = Causes()
    other.event("kill", role, signal="15")
    assert await other.of("u", role, ended(0)) is EndCause.OWN_EXIT
    assert other.asked == ["stays", "record"]


async def test_a_cause_is_unknown_while_the_engine_takes_no_new_connections(
    causes: Causes, ended: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def spans(container_id: str) -> bool | None:
        raise EngineUnavailable("accepts no new connections")

    with monkeypatch.context() as patch:
        patch.setattr(causes, "spans", spans)
        for _ in range(2):
            with pytest.raises(EngineUnavailable):
                await causes.of("u", "worker", ended(255))
    causes.was_up = False
    assert await causes.of("u", "worker", ended(255)) is EndCause.ENGINE_STOPPED


async def test_a_cause_is_unknown_while_the_event_stream_is_away(causes: Causes, ended: End) -> None:
    causes.event("start")
    causes.event("die", exitCode="143")
    causes.stream_lost()
    causes.was_up = None
    with pytest.raises(EngineUnavailable, match="waiting for the engine's events"):
        await causes.of("u", "worker", ended(143))
    causes.event("kill", signal="15")
    causes.stream_back()
    assert await causes.of("u", "worker", ended(143)) is EndCause.ENGINE_STOPPED


@pytest.mark.parametrize(("killed", "cause"), [(True, EndCause.OUT_OF_MEMORY), (False, EndCause.SIGNAL)])
async def test_a_late_oom_event_is_waited_for(
    causes: Causes, ended: End, monkeypatch: pytest.MonkeyPatch, killed: bool, cause: EndCause
) -> None:
    async def killed_for_memory(engine: object, container_id: str) -> bool:
        assert container_id == "w"
        return killed

    monkeypatch.setattr(exits, "killed_for_memory", killed_for_memory)
    assert await causes.of("u", "worker", ended(137, EndCause.SIGNAL)) is cause
    assert await causes.of("u", "sidecar", ended(137, EndCause.SIGNAL)) is EndCause.SIGNAL


async def test_oom_killed_facts_need_no_request(causes: Causes, ended: End) -> None:
    assert await causes.of("u", "worker", ended(137, EndCause.OUT_OF_MEMORY)) is EndCause.OUT_OF_MEMORY
    assert causes.asked == []


async def test_a_failed_start_may_pass_where_the_engine_did_not_answer(causes: Causes, refused: End) -> None:
    assert await causes.observed("u", "worker", refused(128)) == refused(128)
    with pytest.raises(EngineUnavailable), causes.noting_outages("u"):
        raise EngineUnavailable("no answer")
    for role in ("worker", "sidecar"):
        assert await causes.observed("u", role, refused(128)) == replace(refused(128), start_may_pass=True)
    assert await causes.observed("u", "worker", refused(127)) == refused(127)
    assert await causes.observed("another", "worker", refused(128)) == refused(128)


async def test_a_container_that_runs_while_the_engine_is_being_stopped_may_still_end_with_it(
    causes: Causes, running: ContainerFacts, ended: End
) -> None:
    causes.event("kill", signal="15")
    with pytest.raises(EngineUnavailable), causes.noting_outages("u"):
        raise EngineUnavailable("no answer")
    causes.stays, causes.was_up = False, None
    assert await causes.observed("u", "worker", running) == running
    assert await causes.of("u", "worker", ended(0)) is EndCause.ENGINE_STOPPED
    causes.stays = True
    assert await causes.observed("u", "worker", running) == running, "it has outlived that"
    assert await causes.of("u", "worker", ended(0)) is EndCause.OWN_EXIT
    causes.forget("u")
    assert not causes._evidence
