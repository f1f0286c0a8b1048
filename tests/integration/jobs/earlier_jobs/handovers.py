"""Jobs of which one takes files of another: what the tests of handovers share."""

from typing import Any

from jobd.jobs.record.record import Record
from jobd.wire.artifact import JobFiles
from tests.support.fakes.worker import WorkerScript

RETENTION_S = 15 * 60.0


def files(job: str, path: str = "results", out: str = "data") -> JobFiles:
    return JobFiles(id="in", job=job, source=path, out=out)


async def running(system: Any, name: str, *artifacts: Any, **fields: Any) -> Record:
    system.engine.workers[name] = WorkerScript(runs_s=None, writes={"results/f": name.encode()})
    record = await system.submit(*artifacts, id=name, **fields)
    found: Record = await system.until(record, lambda now: now.started_at is not None, tick_s=0.1)
    return found


async def completed(system: Any, name: str, *artifacts: Any, **fields: Any) -> Record:
    record = await running(system, name, *artifacts, **fields)
    system.engine.end(name, "worker", 0)
    found: Record = await system.ended(record, tick_s=0.1)
    assert found.status == "completed", found.error
    return found


async def waiting(system: Any, name: str, *artifacts: Any, **fields: Any) -> Record:
    """A job that a paused group keeps from starting."""
    await system.groups.put("held", limit=None, paused=True)
    record: Record = await system.submit(*artifacts, id=name, group="held", **fields)
    return record


def workspace(system: Any, name: str) -> dict[str, bytes] | None:
    job = system.engine._world.jobs.get(name)
    return None if job is None else job.files


async def retain(system: Any) -> None:
    system.clock.advance(RETENTION_S + 1)
    await system.retention.sweep()
