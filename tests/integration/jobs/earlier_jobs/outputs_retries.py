"""A job whose outputs have failed, and the retry of these outputs, for tests on the engine in memory."""

from typing import Any

import pytest

from jobd.jobs.admission.resubmission import Resubmission
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.record.record import Record
from jobd.wire.artifact import Read, Write
from jobd.wire.report import ArtifactDone, Done, OutputsStarted
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript

RETENTION_S = 15 * 60.0
IN, OUT = Write(id="in", source="x", out="f"), Read(id="out", source="r", depends="job")
FAILS = SidecarScript(
    outputs=[
        OutputsStarted(n=4),
        ArtifactDone(
            n=5, artifact_id="out", artifact_type="read", status="failed", error="the server was away"
        ),
        Done(n=6, failed=["out"]),
    ]
)
FAILS_AGAIN = SidecarScript(
    outputs=[
        OutputsStarted(n=3),
        ArtifactDone(n=4, artifact_id="out", artifact_type="read", status="failed", error="still away"),
        Done(n=5, failed=["out"]),
    ]
)
"""The same of a sidecar that has only outputs."""


async def output_failed(system: Any, name: str = "a", *artifacts: Any, **fields: Any) -> Record:
    system.engine.sidecars[name] = FAILS
    system.engine.workers[name] = WorkerScript(writes={"r": b"result", "o/1": b"1"})
    record: Record = await system.ended(
        await system.submit(*(artifacts or (IN, OUT)), id=name, **fields), tick_s=0.2
    )
    assert (record.status, record.reason) == ("failed", "output-failed")
    return record


async def repeat(system: Any, name: str = "a", **fields: Any) -> Record:
    record, _ = await system.resubmitter.resubmit(Resubmission(name, "1000", outputs=True, **fields))
    return record  # type: ignore[no-any-return]


def started_workers(system: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    starts: list[str] = []
    start = system.engine.start_worker

    async def counted(ref: Any) -> None:
        starts.append(ref.id)
        await start(ref)

    monkeypatch.setattr(system.engine, "start_worker", counted)
    return starts


async def retain(system: Any) -> None:
    system.clock.advance(RETENTION_S + 1)
    await system.retention.sweep()


def exists(system: Any, name: str) -> bool:
    return name in system.engine._world.jobs


async def away(*_: Any) -> None:
    raise EngineUnavailable("away")
