"""Kept outputs on a real disk and a real store: whole or absent, bounded, over restarts, and removed with their job."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.errors import InvalidRequest, NotFound
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.record.states import CollectingOutputs
from jobd.jobs.retention import kept_outputs
from jobd.jobs.retention.kept_outputs import KeptOutputs, NoRoom
from jobd.wire.job import Output
from tests.support.fakes.worker import WorkerScript

OUTPUTS = [Output(path="result.txt", keep=True)]
JOBS_S, HISTORY_S = 900, 86400


async def tar_of(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


async def read(kept: KeptOutputs, uid: str, number: int = 0) -> bytes | None:
    stream = await kept.read(uid, number)
    return None if stream is None else b"".join([block async for block in stream])


async def fetched(system: Any, path: str = "result.txt") -> bytes:
    return b"".join([block async for block in await system.service.open_files("a", path)])


def writes(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(writes={"result.txt": b"text"})


# -- the files


async def test_a_kept_output_is_read_back_whole_and_is_private(tmp_path: Path) -> None:
    kept = KeptOutputs(tmp_path, 100)
    assert await kept.keep("u", 0, tar_of(b"ab", b"", b"cd")) == 4
    assert await read(kept, "u") == b"abcd"
    assert await read(KeptOutputs(tmp_path, 100), "u") == b"abcd"
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    await kept.remove("u")
    assert await read(kept, "u") is None


async def test_an_output_over_the_limit_leaves_no_file_and_the_others_stay(tmp_path: Path) -> None:
    kept = KeptOutputs(tmp_path, 10)
    await kept.keep("u", 0, tar_of(b"12345678"))
    with pytest.raises(NoRoom, match="KEPT_OUTPUTS_MAX_BYTES"):
        await kept.keep("v", 0, tar_of(b"123"))
    assert [path.name for path in tmp_path.iterdir()] == ["u.0.tar"]
    assert await kept.keep("v", 0, tar_of(b"12")) == 2


async def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"1234"
        raise ConnectionError("cut")

    kept = KeptOutputs(tmp_path, 4)
    with pytest.raises(NoRoom, match="cannot be written"):
        await kept.keep("u", 0, breaks())
    assert list(tmp_path.iterdir()) == []
    assert await kept.keep("u", 0, tar_of(b"1234")) == 4


async def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_outputs, "FREE_SHARE", 1)  # the whole disk must stay free
    with pytest.raises(NoRoom, match="disk"):
        await KeptOutputs(tmp_path, 100).keep("u", 0, tar_of(b"1"))
    assert list(tmp_path.iterdir()) == []


async def test_unfinished_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / "u.0.tar.part").write_bytes(b"x" * 10)
    kept = KeptOutputs(tmp_path, 10)
    assert await kept.uids() == {"u"}
    assert await kept.keep("v", 0, tar_of(b"x" * 10)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["v.0.tar"]


async def test_two_first_outputs_at_once_do_not_remove_each_others_files(tmp_path: Path) -> None:
    (tmp_path / "old.0.tar").write_bytes(b"x" * 10)
    kept = KeptOutputs(tmp_path, 40)

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 10
        await asyncio.sleep(0)
        yield b"x" * 5

    sizes = await asyncio.gather(kept.keep("u", 0, slow()), kept.keep("v", 0, slow()))
    assert (list(sizes), sorted(kept.sizes())) == ([15, 15], [10, 15, 15])
    with pytest.raises(NoRoom):
        await kept.keep("w", 0, tar_of(b"x"))


STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "remove", "restart"]), st.sampled_from(["u", "v", "w"]), st.integers(0, 60)),
    max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_any_order_of_calls_stays_within_the_limit_and_counts_right(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    async def walk() -> None:
        folder = tmp_path_factory.mktemp("kept")
        kept, model = KeptOutputs(folder, 100), dict[str, int]()
        for what, uid, size in steps:
            if what == "restart":
                kept = KeptOutputs(folder, 100)
            elif what == "remove":
                await kept.remove(uid)
                model.pop(uid, None)
            else:
                model.pop(uid, None)  # the earlier file of this number is removed first
                fits = sum(model.values()) + size <= 100
                try:
                    await kept.keep(uid, 0, tar_of(b"x" * size))
                except NoRoom:
                    assert not fits
                else:
                    assert fits
                    model[uid] = size
            assert sum(kept.sizes()) == sum(model.values()) <= 100
            assert await kept.uids() == set(model)

    asyncio.run(walk())


# -- jobs


async def test_a_kept_output_outlives_the_workspace_and_is_removed_with_the_record(system: Any) -> None:
    writes(system)
    record = await system.ended(await system.submit(outputs=OUTPUTS))
    assert (record.status, record.outputs["result.txt"].status) == ("completed", "kept")
    while_there = await fetched(system)
    system.clock.advance(JOBS_S + 1)
    await system.retention.sweep()
    assert await system.engine.refs() == []
    assert await fetched(system) == while_there
    with pytest.raises(
        NotFound, match=r"no workspace any more: jobd removed it at .*; jobd has kept 'result\.txt'"
    ):
        await fetched(system, "other")
    await system.restart()
    await system.retention.sweep()
    assert await fetched(system) == while_there
    system.clock.advance(HISTORY_S + 1)
    await system.retention.sweep()
    assert system.outputs.sizes() == []


async def test_a_missing_output_fails_the_job(system: Any) -> None:
    record = await system.ended(await system.submit(outputs=[Output(path="result.txt")]))
    assert (record.status, record.reason) == ("failed", "output-failed")
    assert await system.event_types(record) == ["start", "exit", "complete"]


async def test_an_output_over_the_limit_has_a_reason_of_its_own(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(writes={"result.txt": b"x" * (2 << 20)})
    record = await system.ended(await system.submit(outputs=OUTPUTS))
    assert (record.status, record.reason) == ("failed", "output-too-large")
    assert system.outputs.sizes() == []
    assert await fetched(system), "the workspace is kept for a while"


async def test_a_restart_and_an_unavailable_engine_lose_no_output(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(writes={"result.txt": b"text"}, runs_s=5)
    record = await system.submit(outputs=OUTPUTS)
    await system.until(record, lambda now: now.started_at is not None)
    opened = system.engine.open_tar
    system.engine.open_tar = lambda ref, path: _away()
    system.clock.advance(6)
    await system.until(record, lambda now: isinstance(now.state, CollectingOutputs))
    await system.restart()
    assert isinstance((await system.stored(record)).state, CollectingOutputs)
    system.engine.open_tar = opened
    ended = await system.ended(record, tick_s=1)
    assert (ended.status, ended.outputs["result.txt"].status) == ("completed", "kept")
    assert len(system.engine.starts) == 1


async def test_a_delete_removes_the_kept_output(system: Any) -> None:
    writes(system)
    record = await system.ended(await system.submit(outputs=OUTPUTS))
    assert len(system.outputs.sizes()) == 1
    await system.service.delete("a", by="x")
    async with asyncio.timeout(60):
        while system.outputs.sizes() or system.supervisors.get(record.uid):
            await asyncio.sleep(0.005)


async def test_a_daemon_without_kept_outputs_refuses_a_spec_that_needs_them(system: Any) -> None:
    system.outputs._max_bytes = 0
    with pytest.raises(InvalidRequest, match="KEPT_OUTPUTS_MAX_BYTES") as refused:
        await system.submit(outputs=[Output(path="a"), *OUTPUTS])
    assert refused.value.field == "outputs[1].keep"


async def _away() -> AsyncIterator[bytes]:
    for block in await _fails():
        yield block


async def _fails() -> list[bytes]:
    raise EngineUnavailable("away")
