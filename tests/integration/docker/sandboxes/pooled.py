"""A bench whose pool of network sandboxes runs, as in jobd."""

import asyncio
from typing import Any

import docker

from jobd.jobs.port.hints import Connected
from jobd.jobs.port.model import JobRef
from tests.integration.docker.bench import Bench, Until

STAYS = "exec sleep 600"


class Pooled:
    """A bench whose pool runs, as in jobd: the hints are read all the time."""

    def __init__(self, bench: Bench, until: Until) -> None:
        self.bench = bench
        self.client: docker.DockerClient = bench.client
        self.until = until
        self.reading: asyncio.Task[None] | None = None

    async def open(self) -> "Pooled":
        connected = asyncio.Event()

        async def read() -> None:
            async for hint in self.bench.orchestrator.hints():
                if isinstance(hint, Connected):
                    connected.set()

        self.reading = asyncio.create_task(read())
        await connected.wait()
        return self

    async def close(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)

    def sandboxes(self) -> list[str]:
        """The ids of the running sandboxes."""
        mine: Any = {"label": [f"job.instance={self.bench.instance}", "job.type=sandbox"]}
        return [one["Id"] for one in self.client.api.containers(filters=mine)]

    async def run(self, command: str = "true", **fields: Any) -> list[str]:
        """Runs a job, waits until its sandbox is free again, and returns what the job printed."""
        ref = self.bench.another()
        printed = await self.bench.output(ref, command=command, **fields)
        await self.settled()
        return printed

    async def settled(self) -> None:
        """Waits until the pool is at rest with a sandbox ready."""
        inner = self.bench.orchestrator._sandboxes
        await self.until(lambda: not inner._tasks and len(inner._leases) == 0 and bool(inner._ready))

    def joined(self, ref: JobRef, role: str = "worker") -> str | None:
        """The sandbox that the container has joined."""
        mode: str = self.bench.inspect(role, ref)["HostConfig"]["NetworkMode"]
        kind, _, container_id = mode.partition(":")
        return container_id if kind == "container" else None
