"""What ended each container, and the engine's events as hints. `stop_evidence.py` has the rules; this module asks the engine.

Owns the evidence about each job's containers, from events and from failed calls, until the job is removed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from jobd.docker.containers.exits import init_failures
from jobd.docker.containers.exits.memory_kills import killed_for_memory
from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.containers.exits.stop_evidence import StopEvidence
from jobd.docker.containers.exits.uptime import Uptime
from jobd.docker.engine import Engine
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import KILLED, EngineEvent
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.hints import Changed, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerFacts, EndCause, Role

STAYS_LIMIT_S = 2.0
"""An engine that is still starting behind systemd's socket takes longer to answer."""
_REMEMBERED = 8192
NETWORK_LOST = "its network had ended before: the network sandbox was killed or removed"


class ContainerExits:
    """The containers of one instance. `probe` raises EngineUnavailable if the engine accepts no new connections."""

    def __init__(
        self, engine: Engine, instance: str, own_signals: OwnSignals, probe: Callable[[], Awaitable[object]]
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._own_signals = own_signals
        self._probe = probe
        self._uptime = Uptime(engine)
        self._evidence: OrderedDict[tuple[str, Role], StopEvidence] = OrderedDict()
        """Keys: the job's uid and the container's role."""

    @contextmanager
    def noting_outages(self, uid: str) -> Iterator[None]:
        """Notes for the job's containers when a call finds the engine unavailable."""
        try:
            yield
        except EngineUnavailable:
            for role in labels.ROLES:
                self._of(uid, role).engine_left()
            raise

    def stream_lost(self) -> None:
        """The event stream ended, or could not be opened."""
        for evidence in self._evidence.values():
            evidence.stream_lost()

    def stream_back(self) -> None:
        """The event stream is connected, and the missed events are read."""
        for evidence in self._evidence.values():
            evidence.stream_back()

    def network_lost(self, uid: str) -> None:
        """The job's network sandbox has ended before the job's containers."""
        for role in labels.ROLES:
            self._of(uid, role).network_lost = True

    def replaced(self, uid: str, role: Role) -> None:
        """The container is removed before it ran: the one that follows has another network."""
        self._of(uid, role).network_lost = False

    def forget(self, uid: str) -> None:
        """The job's containers are removed."""
        for role in labels.ROLES:
            self._evidence.pop((uid, role), None)

    def hint(self, event: EngineEvent) -> Hint | None:
        """Notes an event and returns its hint; None if the event is not about a job of this instance."""
        ref = inspection.ref_of_event(event, self._instance)
        if ref is None:
            return None
        role = inspection.role_of_event(event)
        if role is None:
            return Changed(ref.uid)
        facts = inspection.facts_of_event(event, ref.attempt)
        match event.action:
            case "start":
                return Started(ref.uid, role, facts)
            case "die":
                explained = (
                    facts is not None
                    and facts.exit_code not in init_failures.CODES
                    and self._of(ref.uid, role).explains(facts)
                )
                return Ended(ref.uid, role, facts if explained else None)
            case "kill" if not self._own_signals.is_own(
                event.actor.id, event.actor.attributes.get("signal", "")
            ):
                self._of(ref.uid, role).signalled_externally()
                return SignalledExternally(ref.uid, role)
        return Changed(ref.uid, role)

    async def observed(self, uid: str, role: Role, seen: ContainerFacts | None) -> ContainerFacts | None:
        """Returns the facts; if the engine's stop made a start fail, `start_may_pass` is set, and a command that could not be executed is
        said to be the cause. Notes that a container runs.
        """
        if seen is None:
            return seen
        if seen.ended:
            if self._of(uid, role).network_lost:
                return replace(seen, error=NETWORK_LOST)
            return await self._executed(role, seen)
        evidence = self._of(uid, role)
        leaving = evidence.is_in_doubt(seen) and not await self._stays()
        if leaving:
            evidence.engine_left()
        stopped = evidence.stopped_with_engine(seen, leaving=leaving)
        return replace(seen, start_may_pass=True) if stopped else seen

    async def _executed(self, role: Role, ended: ContainerFacts) -> ContainerFacts:
        """Returns the facts with the cause and the text of a command that the init could not execute."""
        if role != "worker" or ended.exit_code not in init_failures.CODES:
            return ended
        why = await init_failures.not_executed(self._engine, ended.id)
        return ended if why is None else replace(ended, cause=EndCause.NOT_EXECUTED, error=why)

    async def of(self, uid: str, role: Role, ended: ContainerFacts) -> EndCause:
        """Returns what ended the container: from the engine's own start time or, if that does not decide, from events.

        Raises EngineUnavailable: the cause is not known yet.
        """
        if await self._stopped_with_engine(self._of(uid, role), ended):
            return EndCause.ENGINE_STOPPED
        cause = ended.cause or EndCause.UNKNOWN
        if role == "worker" and ended.exit_code == KILLED and cause is not EndCause.OUT_OF_MEMORY:
            return EndCause.OUT_OF_MEMORY if await killed_for_memory(self._engine, ended.id) else cause
        return cause

    async def _stopped_with_engine(self, evidence: StopEvidence, ended: ContainerFacts) -> bool:
        if evidence.is_in_doubt(ended) and not await self._stays():
            evidence.engine_left()
            return evidence.stopped_with_engine(ended, leaving=True)
        was_up: bool | None = None
        if evidence.needs_record(ended):
            try:
                was_up = await self._uptime.spans(ended.id)
            except EngineUnavailable:
                evidence.ended_with_engine()
                raise
        if was_up is not True and evidence.awaiting_event_stream(ended):
            raise EngineUnavailable("waiting for the engine's events since the disconnect")
        return evidence.stopped_with_engine(ended, was_up=was_up)

    async def _stays(self) -> bool:
        """Returns whether the engine accepts new connections. While an engine stops, it still answers on open connections."""
        try:
            async with asyncio.timeout(STAYS_LIMIT_S):
                await self._probe()
        except (EngineUnavailable, TimeoutError):
            return False
        return True

    def _of(self, uid: str, role: Role) -> StopEvidence:
        evidence = self._evidence.pop((uid, role), None) or StopEvidence()
        self._evidence[(uid, role)] = evidence
        while len(self._evidence) > _REMEMBERED:
            self._evidence.popitem(last=False)
        return evidence
