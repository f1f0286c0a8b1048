"""The contract of files into and out of a job's containers."""

import asyncio
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from jobd.jobs.port.errors import (
    NoSuchFile,
)
from jobd.jobs.port.model import (
    JobRef,
)
from tests.contract.steps import file_of, read
from tests.support.progress import Progress


async def test_files_go_in_before_the_start_and_come_out(
    world: Any, ref: JobRef, behave: Any, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("given/a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    behaviour = behave(writes={"made": "out"}, lines=("done",), stays=True)
    await world.orchestrator.prepare(world.work(ref, behaviour, files=tmp_path / "in.tar"), Progress())
    assert await file_of(world, ref, "/workspace/given/a.txt") == b"hello"
    await world.orchestrator.start_worker(ref)
    async with asyncio.timeout(world.deadline_s):
        while not await read(world, ref):
            await asyncio.sleep(0.02)
    assert await file_of(world, ref, "/workspace/made") == b"out"
    with pytest.raises(NoSuchFile):
        await file_of(world, ref, "/workspace/nothing")


async def test_making_again_fills_again(world: Any, ref: JobRef, behave: Any, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.prepare(world.work(ref, behave(), files=tmp_path / "in.tar"), Progress())
    assert await file_of(world, ref, "/workspace/a.txt") == b"hello"
