"""The contract of files into and out of a job's containers."""

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


async def test_files_go_in_before_the_start_and_come_out(
    world: Any, ref: JobRef, behave: Any, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("given/a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    await world.orchestrator.create(world.work(ref, behave(writes={"made": "out"})), tmp_path / "in.tar")
    assert await file_of(world, ref, "/workspace/given/a.txt") == b"hello"
    await world.orchestrator.start_worker(ref)
    await read(world, ref, follow=True)
    assert await file_of(world, ref, "/workspace/made") == b"out"
    with pytest.raises(NoSuchFile):
        await file_of(world, ref, "/workspace/nothing")


async def test_making_again_fills_again(world: Any, ref: JobRef, behave: Any, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    order = world.work(ref, behave())
    await world.orchestrator.create(order, None)
    await world.orchestrator.create(order, tmp_path / "in.tar")
    assert await file_of(world, ref, "/workspace/a.txt") == b"hello"
