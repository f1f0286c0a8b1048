"""A disk that is nearly full: a deletion needs little space and frees much, and the reserve is used for nothing else."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import StoreFull
from jobd.store.sqlite.database import WAL_LIMIT_BYTES
from jobd.store.sqlite.reserve import RESERVE_BYTES, Reserve
from jobd.store.sqlite.writer import MAX_WAITING_BYTES
from jobd.store.store import Store
from jobd.store.tables import maintenance
from jobd.store.tables.maintenance import SLICE_BYTES, SPARE_PAGES
from jobd.store.tables.outbox import AHEAD_BYTES
from jobd.store.tables.rows import LogChunk, Transition

MIB = 1 << 20


def disk(path: Path, size: str) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    yield from disk(tmp_path / "large", "150m")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    yield from disk(tmp_path / "small", "8m")


def free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def fill(folder: Path, leave: int = 0) -> Path:
    """Fills a disk up to `leave` bytes."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (left := free(folder) - leave) > 0:
            file.write(b"\0" * min(left, 1 << 16))
    return filler


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    store = await Store.open(folder / "jobd.db", reserve=Reserve(folder / "reserve"))
    try:
        yield store
    finally:
        await store.close()


async def with_log(store: Store, make: Any, uid: str, size: int, **fields: Any) -> None:
    await store.commit(make.claim(uid, **fields))
    chunk = MIB // 4
    for n in range(size // chunk):
        log = LogChunk(n + 1, n + 1, 1, os.urandom(chunk))
        await store.commit(Transition(make.next(uid, **fields), logs=(log,)))


async def longest_file(folder: Path, name: str, until: asyncio.Future[Any]) -> int:
    longest = 0
    while not until.done():
        with contextlib.suppress(FileNotFoundError):
            longest = max(longest, (folder / name).stat().st_size)
        await asyncio.sleep(0)
    return longest


async def test_a_long_log_is_removed_where_less_than_its_size_is_free(large: Path, make: Any) -> None:
    async with opened(large) as store:
        await with_log(store, make, "u1", 80 * MIB, live=False, hidden=True)
        await store.commit(make.claim("u2"))
        fill(large, leave=MIB)
        before = free(large)
        removing = asyncio.ensure_future(store.remove_hidden())
        longest = await longest_file(large, "jobd.db-wal", removing)
        assert await removing == 1
        await store.vacuum()
        assert longest <= WAL_LIMIT_BYTES
        assert free(large) > before + 75 * MIB
        assert await store.has_free_space()
        await store.commit(make.claim("u3"))


async def test_the_vacuum_works_after_a_restart_too(large: Path, make: Any) -> None:
    async with opened(large) as store:
        await with_log(store, make, "u1", 80 * MIB, live=False, hidden=True)
        await store.remove_hidden()
    async with opened(large) as store:
        assert (large / "jobd.db").stat().st_size > 70 * MIB
        await store.vacuum()
        assert (large / "jobd.db").stat().st_size < 2 * SPARE_PAGES * 4096
        assert (await store.counts()).wal_bytes == 0


async def test_other_changes_are_written_between_the_parts_of_a_removal(
    store: Store, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_log(store, make, "u1", 4 * SLICE_BYTES, live=False, hidden=True)
    parts: list[int] = []
    remove = maintenance.remove_hidden

    def counted(connection: sqlite3.Connection, max_bytes: int) -> tuple[int, bool]:
        before = log_bytes(connection)
        found = remove(connection, max_bytes)
        parts.append(before - log_bytes(connection))
        return found

    monkeypatch.setattr(maintenance, "remove_hidden", counted)
    removing = asyncio.ensure_future(store.remove_hidden())
    written = 0
    while not removing.done():
        await store.commit(make.claim(f"v{written}"))
        written += 1
    assert await removing == 1
    assert written >= 3
    assert sum(parts) == 4 * SLICE_BYTES
    assert max(parts) <= SLICE_BYTES + MIB


def log_bytes(connection: sqlite3.Connection) -> int:
    size: int = connection.execute("SELECT ifnull(sum(size_bytes), 0) FROM log_chunks").fetchone()[0]
    return size


async def test_a_removal_writes_little_to_the_log_file(store: Store, make: Any) -> None:
    await with_log(store, make, "u1", SLICE_BYTES - MIB, live=False, hidden=True)
    await store.vacuum()
    assert (await store.counts()).wal_bytes == 0
    assert await store.remove_hidden() == 1
    assert 0 < (await store.counts()).wal_bytes < MIB // 2


async def test_an_interrupted_removal_continues(path: Path, make: Any) -> None:
    store = await Store.open(path)
    await with_log(store, make, "u1", 3 * SLICE_BYTES, live=False, finished_at=make.start)
    assert await store.expire(0, 9) == ["u1"]
    assert (await store.list_jobs()).jobs == []
    removing = asyncio.ensure_future(store.remove_hidden())
    while (await store.log_stats("u1")).size_bytes == 3 * SLICE_BYTES:
        await asyncio.sleep(0)
    removing.cancel()
    await asyncio.gather(removing, return_exceptions=True)
    await store.close()
    store = await Store.open(path)
    assert await store.get_by_uid("u1") is not None, "the row stays until the last part is gone"
    assert (await store.list_jobs()).jobs == []
    assert await store.expire(0, 9) == []
    assert await store.remove_hidden() == 1
    assert (await store.counts()).jobs == 0
    await store.close()


@pytest.mark.parametrize("fixture", ["small", "large"])
async def test_on_a_full_disk_only_changes_of_running_jobs_are_written(
    fixture: str, request: pytest.FixtureRequest, make: Any
) -> None:
    folder: Path = request.getfixturevalue(fixture)
    async with opened(folder) as store:
        size = (folder / "reserve").stat().st_size
        assert size == min(RESERVE_BYTES, (8 if fixture == "small" else 150) * MIB // 16)
        await with_log(store, make, "u1", 2 * MIB, live=False, hidden=True)
        await store.commit(make.claim("u2"))
        await store.vacuum()
        filler = fill(folder)
        outcomes = await asyncio.gather(
            store.commit(Transition(make.next("u2", record=os.urandom(100_000)), events=(make.event(),))),
            store.commit(make.claim("u3", record=os.urandom(100_000))),
            store.commit(
                Transition(make.job("u2", version=2), logs=(LogChunk(1, 1, 1, os.urandom(100_000)),))
            ),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [list, StoreFull, StoreFull]
        assert "deletions" in str(outcomes[1])
        assert not (folder / "reserve").exists()
        assert not await store.has_free_space()
        for n in range(20):
            await store.commit(Transition(make.next("u2", record=b"%d" % n)))
            with pytest.raises(StoreFull):
                await store.commit(make.claim(f"v{n}"))
        assert await store.remove_hidden() == 1
        await store.vacuum()
        filler.unlink()
        assert await store.has_free_space()
        assert (folder / "reserve").stat().st_size == size
        await store.commit(make.claim("u4"))
    async with opened(folder) as store:
        found = await store.get_by_uid("u2")
        assert found is not None
        assert found.record == b"19"


async def test_a_store_on_a_full_disk_opens(small: Path, make: Any) -> None:
    async with opened(small) as store:
        await with_log(store, make, "u1", MIB, live=False, hidden=True)
    fill(small)
    async with opened(small) as store:
        assert await store.remove_hidden() == 1


async def test_a_damaged_reserve_is_created_again(small: Path) -> None:
    reserve = Reserve(small / "reserve")
    assert reserve.allocate()
    size = (small / "reserve").stat().st_size
    os.truncate(small / "reserve", 1000)
    again = Reserve(small / "reserve")
    assert again.allocate()
    assert (small / "reserve").stat().st_size == size
    assert again.release()
    assert not again.release()


async def test_queued_changes_are_bounded_in_bytes(store: Store, make: Any) -> None:
    held = threading.Event()
    holding = asyncio.ensure_future(store._writer.write(lambda _: held.wait(60)))
    large = [asyncio.ensure_future(store.commit(make.claim(f"u{n}", record=bytes(MIB)))) for n in range(100)]
    try:
        for _ in range(200):
            await asyncio.sleep(0)
        assert MAX_WAITING_BYTES // 2 < store._writer.capacity.size_bytes <= MAX_WAITING_BYTES
    finally:
        held.set()
    await asyncio.gather(holding, *large)
    assert store._writer.capacity.size_bytes == 0
    assert (await store.counts()).jobs == 100


async def test_pages_of_long_jobs_are_bounded_in_bytes(store: Store, make: Any) -> None:
    for n in range(8):
        await store.commit(make.claim(f"u{n}", record=bytes(MIB), spec=bytes(MIB // 2)))
        await store.commit(make.claim(f"v{n}", record=bytes(MIB), spec=bytes(MIB), finished_at=make.start))
    page = await store.live_page(0)
    assert [job.uid for job in page] == ["u0", "u1", "u2", "u3"]
    assert {job.spec for job in page} == {b""}
    assert len(await store.live_rows()) == 8
    ended = await store.ended_live_rows(0, 100)
    assert [job.uid for job in ended.jobs] == ["v0", "v1"]
    assert len((await store.list_jobs()).jobs) == 2


async def test_a_page_of_the_log_is_bounded_in_bytes(store: Store, make: Any) -> None:
    await with_log(store, make, "u1", 2 * MIB)
    page = await store.log_chunks("u1", 0, MIB)
    assert [chunk.last_seq for chunk in page] == [1, 2, 3, 4]


async def test_the_bodies_of_following_deliveries_are_bounded_in_bytes(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", port=1))
    events = tuple(make.event(body=os.urandom(15 << 10)) for _ in range(20))
    await store.commit(Transition(make.next("u1"), events=events))
    (due,) = await store.due_of(["u1"], ahead=100)
    assert due.body is not None
    assert [len(one.body or b"") for one in due.ahead] == [15 << 10] * (AHEAD_BYTES // (15 << 10))
