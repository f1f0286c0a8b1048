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
async def gate(house: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    made = Gate()
    commit = house.store.commit

    async def committing(transition: Transition) -> Any:
        made.reached.set()
        await made.open.wait()
        if made.error is not None:
            raise made.error
        return await commit(transition)

    monkeypatch.setattr(house.store, "commit", committing)
    yield made
    made.open.set()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "incoming.tar"
    with tarfile.open(made, "w"):
        pass
    return made


def kept(house: Any) -> list[str]:
    return sorted(path.name for path in house.folder.rglob("*") if path.suffix in (".tar", ".json"))


async def cut(house: Any, gate: Gate, files: Path) -> None:
    """Submits, and cancels the call while the commit waits."""
    submitting = asyncio.create_task(house.submitter.submit(Submission(SPEC, owner=None, files=files)))
    async with asyncio.timeout(DEADLINE_S):
        await gate.reached.wait()
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting


async def test_the_files_of_a_committed_job_are_kept(house: Any, gate: Gate, files: Path) -> None:
    await cut(house, gate, files)
    gate.open.set()
    await house.submitter.settled(DEADLINE_S)
    (row,) = await house.store.live_rows()
    assert kept(house) == sorted([f"{row.uid}.json", f"{row.uid}.tar"])


async def test_a_job_whose_caller_disconnected_runs(house: Any, gate: Gate, files: Path) -> None:
    await cut(house, gate, files)
    gate.open.set()
    await house.submitter.settled(DEADLINE_S)
    (row,) = await house.store.live_rows()
    supervisor = house.supervisors.get(row.uid)
    assert (await house.ended(supervisor.record)).status == "completed"
    async with asyncio.timeout(DEADLINE_S):
        while len(house.supervisors):  # the supervisor removes the files last
            await asyncio.sleep(0)
    assert kept(house) == []


async def test_the_files_of_a_failed_submission_are_removed(house: Any, gate: Gate, files: Path) -> None:
    gate.error = StoreFull("no room")
    await cut(house, gate, files)
    gate.open.set()
    await house.submitter.settled(DEADLINE_S)
    assert await house.store.live_rows() == []
    assert kept(house) == []


async def test_a_stop_of_jobd_during_the_commit_keeps_the_files(house: Any, gate: Gate, files: Path) -> None:
    await cut(house, gate, files)
    await house.submitter.settled(0.0)  # without time for an orderly end
    names = kept(house)
    assert len(names) == 2
    gate.open.set()
    await house.restart()
    for row in await house.store.live_rows():
        assert names == sorted([f"{row.uid}.json", f"{row.uid}.tar"])
