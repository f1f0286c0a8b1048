"""Steps of the contract's checks: run a worker, read its log, the sidecar's reports and files."""

import asyncio
import io
import tarfile
from collections.abc import Callable, Coroutine
from typing import Any

from jobd.jobs.port.model import (
    LOG_START,
    ContainerFacts,
    JobRef,
    LogBatch,
    LogCursor,
    Observation,
    RawLine,
    Role,
)
from jobd.wire.report import Report, decode_report
from tests.support.progress import Progress

Until = Callable[[JobRef, Callable[[Observation], bool]], Coroutine[Any, Any, Observation]]


def ended(seen: Observation) -> bool:
    return seen.worker is not None and seen.worker.ended


async def run(world: Any, ref: JobRef, behaviour: Any, until: Until) -> ContainerFacts:
    await world.orchestrator.prepare(world.work(ref, behaviour), Progress())
    await world.orchestrator.start_worker(ref)
    worker = (await until(ref, ended)).worker
    assert worker is not None
    return worker


async def batches(
    world: Any, ref: JobRef, cursor: LogCursor = LOG_START, follow: bool = False, role: Role = "worker"
) -> list[LogBatch]:
    async with asyncio.timeout(world.deadline_s):
        return [batch async for batch in world.orchestrator.logs(ref, role, cursor, follow)]


async def read(world: Any, ref: JobRef, cursor: LogCursor = LOG_START, follow: bool = False) -> list[RawLine]:
    return [line for batch in await batches(world, ref, cursor, follow) for line in batch.lines]


async def reports(world: Any, ref: JobRef) -> list[Report]:
    """Returns the sidecar's reports."""
    read = await batches(world, ref, role="sidecar")
    return [decode_report(line.text.encode()) for batch in read for line in batch.lines]


async def reported(world: Any, ref: JobRef, kind: type) -> None:
    """Returns once the sidecar has sent a report of this kind."""
    async with asyncio.timeout(world.deadline_s):
        while not any(isinstance(report, kind) for report in await reports(world, ref)):
            await asyncio.sleep(0.02)


async def file_of(world: Any, ref: JobRef, path: str) -> bytes:
    whole = b"".join([chunk async for chunk in world.orchestrator.open_tar(ref, path)])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        return file.read()
