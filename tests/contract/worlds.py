"""What the contract suite needs of an implementation: a `World` that turns a behaviour into a job.

A further implementation adds a world, here or beside `conftest.py`, and an entry in its `WORLDS`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import pytest

from jobd.jobs.port.model import ContainerFacts, EndCause, JobRef, Observation, WorkOrder
from jobd.jobs.port.protocols import EnginePort
from jobd.wire.job import JobSpec
from tests.support.fakes.orchestrator import FakeOrchestrator
from tests.support.fakes.worker import WorkerScript
from tests.support.progress import Progress

OPTIONAL = frozenset({EndCause.DEADLINE, EndCause.EVICTED, EndCause.NODE_LOST})
"""The causes that an engine may lack: on one machine no container is evicted."""

OF_ONE_MACHINE = frozenset({EndCause.ENGINE_STOPPED, EndCause.NOT_EXECUTED, EndCause.UNKNOWN})
"""The causes that a cluster may lack: its nodes' containers outlive the node's programs, and have no init."""


class Ability(Enum):
    """What an engine may lack. docs/kubernetes.md has the same list for Kubernetes."""

    STREAMS = "tells stdout from stderr in a log"
    OUTPUT = "gives output before its line ends"
    INPUT = "connects clients to a worker's input and terminal"
    FREEZING = "freezes a worker"
    MEASURING = "measures a worker"
    WORKSPACES = "keeps a workspace for later jobs"
    SINGLE_CONTAINERS = "removes or kills one of a job's containers alone"
    IMAGES_FIRST = "pulls a worker's image before its start"


def needs(world: "World", *abilities: Ability) -> None:
    """Skips the rest of a check for an engine that lacks one of these."""
    for ability in abilities:
        if ability in world.lacks:
            pytest.skip(f"the engine lacks: {ability.value}")


@dataclass(frozen=True)
class Behaviour:
    """What the worker does: `writes` files into its workspace, prints `lines`, the secrets in `shows` (or on stderr that one is
    missing) and `rest` without a newline, then ends with `exit_code`; `stays`: runs until a signal kills the worker; `missing`:
    the command does not exist. `copies`: copies its input to stdout until the input's end, and then ends. `shows_size`: prints rows and
    columns at each change of its terminal.
    """

    lines: tuple[str, ...] = ()
    rest: str = ""
    errors: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    writes: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0
    stays: bool = False
    missing: bool = False
    copies: bool = False
    shows_size: bool = False


class World(Protocol):
    """One implementation under test. `deadline_s`: the limit of each wait. `without`: the causes that the engine lacks.
    `keeps_files`: False if the engine keeps no files after a worker's end. `lacks`: what else the engine does not have.
    """

    orchestrator: EnginePort
    image: str
    deadline_s: float
    without: frozenset[EndCause]
    keeps_files: bool
    lacks: frozenset[Ability]

    def work(
        self,
        ref: JobRef,
        behaviour: Behaviour,
        *,
        sidecar: bool = False,
        files: Path | None = None,
        image_ready: bool = False,
        sources: Mapping[str, JobRef] | None = None,
        **fields: Any,
    ) -> WorkOrder:
        """Returns an order for a job with this behaviour, and further `fields` of its spec; the world cleans up `ref`."""
        ...

    def command(self, behaviour: Behaviour) -> tuple[str, ...]:
        """Returns the arguments of a command beside a worker with this behaviour."""
        ...

    async def interrupt_hints(self) -> None:
        """Breaks the stream of hints; the stream may be connected again at once."""
        ...

    async def kill_from_outside(self, ref: JobRef) -> None:
        """Sends SIGKILL to the running worker, not through the port."""
        ...

    async def end_for(self, cause: EndCause, ref: JobRef) -> tuple[EnginePort, ContainerFacts]:
        """Runs a worker of this job that ends for this cause; returns the engine that reports the end, and the end's facts."""
        ...


class FakeWorld:
    """The engine in memory: behaviours become scripts."""

    image = "fake:latest"
    without: frozenset[EndCause] = frozenset()
    lacks: frozenset[Ability] = frozenset()

    def __init__(self, deadline_s: float = 60, *, keeps_files: bool = True) -> None:
        self.fake = FakeOrchestrator()
        self.fake.keeps_files = self.keeps_files = keeps_files
        self.fake.missing_images.add("no-such-image:1")
        self.orchestrator: EnginePort = self.fake
        self.deadline_s = deadline_s

    def work(
        self,
        ref: JobRef,
        behaviour: Behaviour,
        *,
        sidecar: bool = False,
        files: Path | None = None,
        image_ready: bool = False,
        sources: Mapping[str, JobRef] | None = None,
        **fields: Any,
    ) -> WorkOrder:
        self.fake.workers[ref.id] = self._script(behaviour)
        fields = {"image": self.image, "secrets": dict.fromkeys(behaviour.shows, ""), **fields}
        spec = JobSpec(id=ref.id, **fields)
        return WorkOrder(ref, spec, sidecar, files, image_ready, sources=sources or {})

    def command(self, behaviour: Behaviour) -> tuple[str, ...]:
        name = "no-such-command" if behaviour.missing else f"command-{len(self.fake.commands)}"
        if not behaviour.missing:
            self.fake.commands[name] = self._script(behaviour)
        return (name,)

    def _script(self, behaviour: Behaviour) -> WorkerScript:
        return WorkerScript(
            lines=behaviour.lines,
            errors=behaviour.errors,
            shows=behaviour.shows,
            rest=behaviour.rest,
            writes={path: text.encode() for path, text in behaviour.writes.items()},
            exit_code=behaviour.exit_code,
            runs_s=None if behaviour.stays or behaviour.copies or behaviour.shows_size else 0.0,
            start_error=(127, "no such command") if behaviour.missing else None,
            copies=behaviour.copies,
            shows_size=behaviour.shows_size,
        )

    async def interrupt_hints(self) -> None:
        self.fake.interrupt_hints()

    async def kill_from_outside(self, ref: JobRef) -> None:
        self.fake.signal_from_outside(ref.id, "worker", 137)

    async def end_for(self, cause: EndCause, ref: JobRef) -> tuple[EnginePort, ContainerFacts]:
        await self.orchestrator.prepare(self.work(ref, Behaviour(stays=True)), Progress())
        await self.orchestrator.start_worker(ref)
        if cause is EndCause.ENGINE_STOPPED:
            self.fake.restart()
        else:
            self.fake.end(ref.id, "worker", _CODES.get(cause, 3), cause=cause)
        worker = (await self.orchestrator.observe(ref)).worker
        assert worker is not None
        return self.orchestrator, worker


async def observed_until(world: World, ref: JobRef, condition: Callable[[Observation], bool]) -> Observation:
    """Observes a job until the condition holds."""
    async with asyncio.timeout(world.deadline_s):
        while not condition(seen := await world.orchestrator.observe(ref)):
            await asyncio.sleep(0.02)
        return seen


_CODES: Mapping[EndCause, int | None] = {
    EndCause.SIGNAL: 137,
    EndCause.OUT_OF_MEMORY: 137,
    EndCause.NODE_LOST: None,
    EndCause.NOT_EXECUTED: 127,
}
