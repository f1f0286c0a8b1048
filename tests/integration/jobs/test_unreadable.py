"""A byte that the disk has changed affects one job: the job is shown, stays and can be deleted; all other jobs continue."""

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.api.respond import error_response
from jobd.errors import Conflict, NotFound
from jobd.jobs.log.log_view import LogQuery, LogView
from jobd.jobs.service import ListQuery
from jobd.jobs.state.facts import CancelRequested
from jobd.jobs.stored import readable
from jobd.store.errors import UnreadableJob
from jobd.wire.job import Callback
from tests.support.fakes.worker import WorkerScript

INTERVAL_S, JOBS_S, HISTORY_S = 60, 900, 86400
COLUMNS = ("jobs.record", "jobs.labels", "jobs.id", "jobs.uid", "jobs.owner", "specs.spec")
DEADLINE_S = 60.0


def row_of(table: str, job: str | int) -> str:
    number = str(job) if isinstance(job, int) else f"(SELECT n FROM jobs WHERE id = '{job}')"
    return f"{'n' if table == 'jobs' else 'job'} = {number}"


def value_of(path: Path, table: str, column: str, job: str | int) -> bytes:
    with sqlite3.connect(path) as connection:
        row = connection.execute(
            f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {row_of(table, job)}"
        ).fetchone()
        assert row is not None
        return bytes(row[0])


def put(path: Path, table: str, column: str, job: str | int, value: bytes) -> None:
    """Writes a value as a damaged disk would: without the checks of a change."""
    kind = "BLOB" if column in ("record", "spec", "body", "data") else "TEXT"
    with sqlite3.connect(path, timeout=10) as connection:
        connection.execute("DROP TRIGGER IF EXISTS jobs_go_forward")
        connection.execute(
            f"UPDATE {table} SET {column} = CAST(? AS {kind}) WHERE {row_of(table, job)}",
            (value,),
        )


def flip(path: Path, column: str, job: str | int, place: float = 0.5, bit: int = 0) -> None:
    table, name = column.split(".")
    data = bytearray(value_of(path, table, name, job))
    data[int(place * len(data))] ^= 1 << bit
    put(path, table, name, job, bytes(data))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "jobd.db"


async def kept(system: Any) -> set[str]:
    return {ref.id for ref in await system.engine.refs()}


async def rounds(system: Any) -> None:
    """Runs maintenance until any orphan would be removed."""
    for _ in range(3):
        await system.retention.sweep()
        await system.retention.orphans.remove()
        system.clock.advance(INTERVAL_S + 1)


async def run_two(system: Any) -> None:
    """`bad` runs, `good` has ended; both have containers."""
    system.engine.workers["bad"] = WorkerScript(runs_s=None)
    bad = await system.submit(id="bad", labels={"team": "x"})
    await system.until(bad, lambda now: now.started_at is not None)
    await system.ended(await system.submit(id="good"))


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_damaged_row_stops_no_other_job(system: Any, database: Path, column: str) -> None:
    await run_two(system)
    await system.stop()
    flip(database, column, "bad")
    await system.restart()
    page = await system.service.page(ListQuery())
    views = {view.id: view for view in page.jobs}
    assert views["good"].status == "completed"
    (shown,) = (view for view in page.jobs if view.id != "good")
    assert shown.status == "unreadable"
    assert f"job-{shown.id}-worker" in (shown.error or "")
    assert (await system.service.get(shown.id)).status == "unreadable"
    assert [v.id for v in (await system.service.page(ListQuery(frozenset({"unreadable"})))).jobs] == [
        shown.id
    ]
    assert [v.id for v in (await system.service.page(ListQuery(frozenset({"completed"})))).jobs] == ["good"]
    assert (await system.service.page(ListQuery(frozenset({"running"})))).jobs == []
    with pytest.raises(UnreadableJob) as refused:
        await system.service.find(shown.id)
    assert error_response(refused.value).status == 409
    with pytest.raises((UnreadableJob, Conflict)):
        await system.service.cancel(shown.id, CancelRequested(by="me", grace_s=0, delete=False))
    await rounds(system)
    assert await kept(system) == {"bad", "good"}, "the containers of an unreadable job stay"
    system.clock.advance(JOBS_S)
    await rounds(system)
    assert await kept(system) == {"bad"}
    system.clock.advance(HISTORY_S)
    await rounds(system)
    assert [view.id for view in (await system.service.page(ListQuery())).jobs] == [shown.id]
    await system.ended(await system.submit(id="new"))

    await system.service.delete(shown.id, "me")
    with pytest.raises(NotFound):
        await system.service.get(shown.id)
    await rounds(system)
    assert await kept(system) == {"new"}
    assert (await system.store.counts()).jobs == 1
    again = await system.submit(id="bad")
    await system.until(again, lambda now: now.started_at is not None)


async def test_every_changed_byte_is_detected(system: Any, database: Path) -> None:
    await run_two(system)
    await system.stop()
    chance = random.Random(4)
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER jobs_go_forward")
    number = (await system.store.get_by_id("bad")).number
    for column in COLUMNS * 6:
        table, name = column.split(".")
        before = value_of(database, table, name, number)
        place, bit = chance.random(), chance.randrange(8)
        flip(database, column, number, place, bit)
        rows = (await system.store.list_jobs()).jobs
        (damaged,) = (row for row in rows if row.damage)
        assert damaged.number == number, (column, place, bit)
        assert (await system.service.get(damaged.id)).status == "unreadable"
        assert readable(await system.store.live_rows()) == []
        put(database, table, name, number, before)
    assert (await system.service.get("bad")).status == "running"


async def test_a_deleted_unreadable_job_is_removed_at_once(system: Any, database: Path) -> None:
    await run_two(system)
    await system.stop()
    flip(database, "jobs.record", "bad")
    await system.restart()
    timer = asyncio.create_task(system.retention.run())
    try:
        await asyncio.sleep(0)
        await system.service.delete("bad", "me")
        async with asyncio.timeout(DEADLINE_S):
            while "bad" in await kept(system):
                await asyncio.sleep(0.001)
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)
    assert await kept(system) == {"good"}


async def test_stored_events_of_an_unreadable_job_are_delivered(system: Any, database: Path) -> None:
    record = await system.ended(await system.submit(id="bad", callback=Callback(url="http://127.0.0.1:9/")))
    flip(database, "jobs.record", "bad")
    due = await system.store.due_of([record.uid])
    assert due[0].body
    await system.service.delete("bad", "me")
    await system.store.remove_hidden()
    assert await system.store.due_of([record.uid]) == due


async def test_a_queued_job_with_a_damaged_spec_takes_no_slot(system: Any, database: Path) -> None:
    for name in ("first", "second"):
        system.engine.workers[name] = WorkerScript(runs_s=None)
        record = await system.submit(id=name)
        await system.until(record, lambda now: now.started_at is not None)
    await system.submit(id="bad")
    behind = await system.submit(id="behind")
    flip(database, "specs.spec", "bad")
    system.engine.end("first", "worker", 0)  # one free place, which both waiting jobs get one after the other
    assert (await system.ended(behind)).exit_code == 0
    assert (await system.service.get("bad")).status == "unreadable"
    assert "bad" not in await kept(system)


async def test_a_running_job_stores_its_record_whole_again(system: Any, database: Path) -> None:
    system.engine.workers["bad"] = WorkerScript(runs_s=None)
    record = await system.submit(id="bad")
    await system.until(record, lambda now: now.started_at is not None)
    flip(database, "jobs.record", "bad")
    assert (await system.service.get("bad")).status == "unreadable"
    system.engine.end("bad", "worker", 4)
    assert (await system.ended(record)).exit_code == 4
    assert (await system.service.get("bad")).status == "failed"


async def frames(system: Any, record: Any, **query: Any) -> list[dict[str, Any]]:
    view = LogView(system.store, system.change_notifier, system.service.current, system.budget)
    data = b"".join([part async for part in view.frames(record, LogQuery(**query))])
    return [msgspec.json.decode(line) for line in data.splitlines() if line]


@pytest.mark.parametrize("query", [{}, {"tail": 1}, {"stream": "stdout"}, {"stream": "stdout", "tail": 1}])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
async def test_a_reader_of_a_damaged_log_sees_a_gap(
    system: Any, database: Path, query: dict[str, Any], place: float
) -> None:
    system.engine.workers["bad"] = WorkerScript(lines=("one", "two"))
    record = await system.ended(await system.submit(id="bad"))
    flip(database, "log_chunks.data", "bad", place)
    *lines, end = await frames(system, record, **query)
    assert "end" in end
    assert any("the disk has changed their bytes" in line.get("gap", "") for line in lines)
    assert all((line["line"], line["partial"]) == ("", True) for line in lines)


async def test_a_damaged_event_is_marked_for_readers_and_not_sent(system: Any, database: Path) -> None:
    record = await system.ended(await system.submit(id="bad", callback=Callback(url="http://127.0.0.1:9/")))
    whole = await system.store.list_events(0, record.uid, 100)
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE events SET body = replace(body, 'job', 'jab') WHERE seq = ?", (whole[0].seq,)
        )
        connection.execute("UPDATE events SET body = CAST(body AS BLOB)")
    found = await system.store.list_events(0, record.uid, 100)
    assert b"does not match its checksum" in found[0].body
    assert found[1:] == whole[1:]
    (due,) = await system.store.due_of([record.uid], ahead=10)
    assert due.body == b""
    assert [one.body for one in due.ahead] == [event.body for event in whole[1:]]
    assert await system.store.delivery_body(due.id) == b""


async def test_nothing_is_sent_to_a_damaged_address(system: Any, database: Path) -> None:
    record = await system.ended(await system.submit(id="bad", callback=Callback(url="http://127.0.0.1:9/")))
    flip(database, "callbacks.url", "bad")
    (due,) = await system.store.due_of([record.uid])
    assert due.body == b""


async def test_a_row_that_is_not_utf_8_is_read(system: Any, database: Path) -> None:
    await run_two(system)
    put(database, "jobs", "id", "bad", b"b\xffd")
    (shown,) = (v for v in (await system.service.page(ListQuery())).jobs if v.id != "good")
    assert shown.status == "unreadable"
    assert shown.id.startswith("damaged-")
    assert not await system.store.is_damaged("u", "good")
    refs = [ref for ref in await system.engine.refs() if ref.id == "bad"]
    assert await system.store.is_damaged(refs[0].uid, "bad")
    await system.service.delete(shown.id, "me")
    assert [v.id for v in (await system.service.page(ListQuery())).jobs] == ["good"]


async def test_a_damaged_row_is_listed_with_the_live_jobs(system: Any, database: Path) -> None:
    """A known damaged row is listed even if its job had ended: a user must handle the job."""
    await run_two(system)
    for n in range(3):
        await system.ended(await system.submit(id=f"over-{n}"))
    await system.stop()
    flip(database, "jobs.record", "good")
    await system.restart()
    query = ListQuery(frozenset({"accepted", "running", "unreadable"}))

    async def listed() -> list[tuple[str, str]]:
        return [(view.id, view.status) for view in (await system.service.page(query)).jobs]

    while await system.store.scan_for_damage():
        pass
    assert await listed() == [("good", "unreadable"), ("bad", "running")]
    await system.service.delete("good", "me")
    assert await listed() == [("bad", "running")]
    flip(database, "jobs.record", "over-1")
    assert await listed() == [("bad", "running")], "no check has found the damage"
    assert "over-1" in {view.id for view in (await system.service.page(ListQuery())).jobs}
    assert ("over-1", "unreadable") in await listed(), "a list finds damage, and the next list knows"
