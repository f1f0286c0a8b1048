"""What is kept of ended jobs is bounded, and is dropped by every write of the job before the writer reports the write."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import StaleJob, StoreError
from jobd.store.store import Store
from jobd.store.stores import ended_views
from jobd.store.stores.ended_views import EndedViews
from jobd.store.tables.jobs import job_changes
from jobd.store.tables.rows import Transition
from tests.integration.store.conftest import Make

ENDED: dict[str, Any] = {"live": False, "holds_id": False, "status": "completed"}
VIEW = b'{"a":"view"}\n'


async def update(store: Store, make: Make) -> None:
    await store.commit(Transition(make.next(**ENDED)))


async def claim_the_id_again(store: Store, make: Make) -> None:
    await store.commit(make.claim("u2", id="job-1"))


async def hide(store: Store, make: Make) -> None:
    await store.hide("job-1")


async def discard(store: Store, make: Make) -> None:
    await store.discard(1)


async def expire(store: Store, make: Make) -> None:
    assert await store.expire(-1.0, 1) == ["u1"]


async def purge(store: Store, make: Make) -> None:
    await store.purge("u1")


@pytest.mark.parametrize("write", [update, claim_the_id_again, hide, discard, expire, purge])
async def test_every_write_of_a_job_drops_what_is_kept_of_it(
    store: Store, make: Make, write: Callable[[Store, Make], Awaitable[None]]
) -> None:
    await store.commit(make.claim(**ENDED))
    await store.commit(make.claim("u9", **ENDED))
    kept = store.ended_views
    for job_id in ("job-1", "job-9"):
        kept.keep(job_id, VIEW, kept.changes)
    before = kept.changes
    await write(store, make)
    assert kept.get("job-1") is None
    assert kept.get("job-9") == VIEW
    kept.keep("job-1", b"read before the write", before)
    assert kept.get("job-1") is None


async def test_a_job_is_dropped_before_any_caller_learns_of_the_commit(store: Store, make: Make) -> None:
    await store.commit(make.claim(**ENDED))
    kept = store.ended_views
    seen: list[bytes | None] = []
    for _ in range(20):
        kept.keep("job-1", VIEW, kept.changes)
        commit = asyncio.ensure_future(store.commit(Transition(make.next(**ENDED))))
        commit.add_done_callback(lambda _: seen.append(kept.get("job-1")))
        await commit
        await asyncio.sleep(0)
    assert seen == [None] * 20


async def test_a_write_that_failed_drops_too(store: Store, make: Make) -> None:
    await store.commit(make.claim(**ENDED))
    kept = store.ended_views
    kept.keep("job-1", VIEW, kept.changes)

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE jobs SET hidden = 1 WHERE id = 'job-1'")
        raise StaleJob("after a change")

    with pytest.raises(StaleJob):
        await store._writer.write(fails)
    assert kept.get("job-1") is None


async def test_a_connection_that_was_opened_again_is_watched_too(store: Store, make: Make) -> None:
    await store.commit(make.claim(**ENDED))
    kept = store.ended_views

    def breaks(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with pytest.raises(StoreError):
        await store._writer.write(breaks, outside_transaction=True)
    kept.keep("job-1", VIEW, kept.changes)
    await update(store, make)
    assert kept.get("job-1") is None


async def test_a_write_of_other_tables_drops_nothing(store: Store, make: Make) -> None:
    await store.commit(make.claim(**ENDED))
    kept = store.ended_views
    kept.keep("job-1", VIEW, kept.changes)
    before = kept.changes
    await store.set_queue_paused(True, False)
    assert (kept.get("job-1"), kept.changes) == (VIEW, before)


async def test_a_commit_of_many_jobs_drops_everything(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_views, "MAX_CHANGED", 3)
    kept = store.ended_views
    for number in range(1, 7):
        await store.commit(make.claim(f"u{number}", **ENDED))
    kept.keep("job-6", VIEW, kept.changes)
    before = kept.changes
    await store._writer.write(
        lambda connection: connection.execute("UPDATE jobs SET hidden = 1 WHERE n < 6").rowcount
    )
    assert kept.get("job-6") is None
    assert kept.changes > before


def test_an_id_that_is_no_text_any_more_does_not_fail_the_write(path: Path) -> None:
    noted: list[str] = []
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (id TEXT, hidden INT)")
        job_changes.watch(connection, noted.append)
        connection.execute("INSERT INTO jobs VALUES (CAST(x'ff61' AS TEXT), 0)")
        connection.execute("UPDATE jobs SET hidden = 1")
        connection.execute("DELETE FROM jobs")
    assert noted == ["\ufffda"] * 3


def test_what_is_kept_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_views, "MAX_BYTES", 10 * (1000 + ended_views.ENTRY_BYTES + 2))
    kept = EndedViews()
    for number in range(10, 20):
        kept.keep(str(number), bytes(1000), 0)
    assert kept.get("10") is not None
    kept.keep("20", bytes(1000), 0)
    assert [number for number in range(10, 21) if kept.get(str(number)) is None] == [11], "the least recent"
    kept.keep("20", bytes(500), 0)
    kept.keep("21", bytes(ended_views.LONGEST_BYTES + 1), 0)
    assert kept.get("21") is None
    kept.drop(None)
    assert kept._kept_bytes == 0
    assert not kept._kept
