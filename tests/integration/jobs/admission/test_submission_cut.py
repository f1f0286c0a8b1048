"""The caller disconnects, or jobd stops, while a submission commits: the commit alone decides whether the job exists."""

import asyncio
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobd.jobs.admission.submission import Submission
from jobd.store.errors import StoreFull
from jobd.store.tables.rows import Transition
from jobd.wire.job import JobSpec

SPEC = JobSpec(id="a", image="busybox", secrets={"token": "s3cret"})
DEADLINE_S = 60.0


class Gate:
    """Holds commits back until the gate is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.error: Exception | None = None


@pytest.fixture
async def gate(system: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    made = Gate()
    commit = system.store.commit

    async def committing(transition: Transition) -> Any:
        made.reached.set()
        await made.open.wait()
        if made.error is not None:
            raise made.error
        return await commit(transition)

    monkeypatch.setattr(system.store, "commit", committing)
    yield made
    made.open.set()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "incoming.tar"
    with tarfile.open(made, "w"):
        pass
    return made


def kept(system: Any) -> list[str]:
    return sorted(path.name for path in system.folder.rglob("*") if path.suffix in (".tar", ".json"))


async def cut(system: Any, gate: Gate, files: Path) -> None:
    """Submits, and cancels the call while the commit waits."""
    submitting = asyncio.create_task(system.submitter.submit(Submission(SPEC, owner=None, files=files)))
    async with asyncio.timeout(DEADLINE_S):
        await gate.reached.wait()
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting


async def test_the_files_of_a_committed_job_are_kept(system: Any, gate: Gate, files: Path) -> None:
    await cut(system, gate, files)
    gate.open.set()
    await system.submitter.settled(DEADLINE_S)
    (row,) = await system.store.live_rows()
    assert kept(system) == sorted([f"{row.uid}.json", f"{row.uid}.tar"])


async def test_a_job_whose_caller_disconnected_runs(system: Any, gate: Gate, files: Path) -> None:
    await cut(system, gate, files)
    gate.open.set()
    await system.submitter.settled(DEADLINE_S)
    (row,) = await system.store.live_rows()
    supervisor = system.supervisors.get(row.uid)
    assert (await system.ended(supervisor.record)).status == "completed"
    async with asyncio.timeout(DEADLINE_S):
        while len(system.supervisors):  # the supervisor removes the files last
            await asyncio.sleep(0)
    assert kept(system) == []


async def test_the_files_of_a_failed_submission_are_removed(system: Any, gate: Gate, files: Path) -> None:
    gate.error = StoreFull("no room")
    await cut(system, gate, files)
    gate.open.set()
    await system.submitter.settled(DEADLINE_S)
    assert await system.store.live_rows() == []
    assert kept(system) == []


async def test_a_stop_of_jobd_during_the_commit_keeps_the_files(system: Any, gate: Gate, files: Path) -> None:
    await cut(system, gate, files)
    await system.submitter.settled(0.0)  # without time for an orderly end
    names = kept(system)
    assert len(names) == 2
    gate.open.set()
    await system.restart()
    for row in await system.store.live_rows():
        assert names == sorted([f"{row.uid}.json", f"{row.uid}.tar"])
