"""One instance of jobd's Docker adapter, for tests on a real engine."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import docker

from jobd.docker.logs.log_cursors import PositionedLine, Positions, encoded
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.jobs.port.model import ContainerFacts, Created, JobRef, Role, WorkOrder
from jobd.wire.job import JobSpec
from tests.support.progress import Progress

DEADLINE_S = 60


class Bench:
    """Creates jobs through one orchestrator and inspects them through the SDK."""

    def __init__(
        self, client: docker.DockerClient, orchestrator: DockerOrchestrator, instance: str, ref: JobRef
    ) -> None:
        self.client = client
        self.orchestrator = orchestrator
        self.instance = instance
        self.ref = ref

    def another(self) -> JobRef:
        return JobRef(uuid.uuid4().hex, f"{self.ref.id}-{uuid.uuid4().hex[:6]}", 1)

    def order(
        self,
        ref: JobRef | None = None,
        *,
        sidecar: bool = False,
        files: Path | None = None,
        image_ready: bool = False,
        **fields: Any,
    ) -> WorkOrder:
        ref = ref or self.ref
        spec = JobSpec(**{"id": ref.id, "image": "busybox:latest", **fields})
        return WorkOrder(ref, spec, sidecar, files, image_ready)

    async def prepare(self, **fields: Any) -> Progress:
        """Pulls and creates; returns what was reported meanwhile."""
        progress = Progress()
        await self.orchestrator.prepare(self.order(**fields), progress)
        return progress

    async def create(self, ref: JobRef | None = None, files: Path | None = None, **fields: Any) -> Created:
        """Creates the containers, as after a pull."""
        order = self.order(ref, files=files, image_ready=True, **fields)
        return await self.orchestrator.prepare(order, Progress())

    async def run(
        self, ref: JobRef | None = None, files: Path | None = None, **fields: Any
    ) -> ContainerFacts:
        """Makes and starts a job and returns the facts of its end."""
        ref = ref or self.ref
        await self.create(ref, files, **fields)
        await self.orchestrator.start_worker(ref)
        return await self.ended(ref)

    async def ended(self, ref: JobRef | None = None, role: Role = "worker") -> ContainerFacts:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                seen = await self.orchestrator.observe(ref or self.ref)
                facts = seen.worker if role == "worker" else seen.sidecar
                if facts is not None and facts.ended:
                    return facts
                await asyncio.sleep(0.05)

    async def lines(
        self,
        ref: JobRef | None = None,
        role: Role = "worker",
        positions: Positions | None = None,
        follow: bool = False,
    ) -> list[PositionedLine]:
        out: list[PositionedLine] = []
        async with asyncio.timeout(DEADLINE_S):
            async for batch in self.orchestrator.logs(
                ref or self.ref, role, encoded(positions or {}), follow
            ):
                out += [line for line in batch.lines if isinstance(line, PositionedLine)]
        return out

    async def output(self, ref: JobRef | None = None, **fields: Any) -> list[str]:
        """Runs a job and returns what it printed."""
        await self.run(ref, **fields)
        return [line.text for line in await self.lines(ref)]

    def inspect(self, role: str = "worker", ref: JobRef | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.client.api.inspect_container(f"job-{(ref or self.ref).id}-{role}")
        return found


MakeBench = Callable[..., Bench]
Until = Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]
