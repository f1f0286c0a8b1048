"""A database of schema 1: opened, migrated to this version, and its pending events delivered."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from jobd.clock import SystemClock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.jobs.record.record_form import decode_record
from jobd.store.sqlite import checks, database
from jobd.store.sqlite.timestamps import to_micros
from jobd.store.store import Store
from tests.support.fakes.clock import FakeClock

DUMP = Path(__file__).parent.parent / "store" / "fixtures" / "schema_1.sql"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def test_pending_events_of_a_database_of_the_first_schema_are_delivered(
    tmp_path: Path, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    path = tmp_path / "jobd.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            DUMP.read_text().replace("http://127.0.0.1:59999", receiver.url.removesuffix("/hook"))
        )
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        # Postponed deliveries are due at once: today's clock is far from the dump's.
        old.execute("UPDATE deliveries SET due_at = 0 WHERE due_at IS NOT NULL")
        old.commit()
    store = await Store.open(path)
    clock = SystemClock()
    async with Sender(EgressPolicy(EgressRule()), clock) as sender:
        dispatcher = Dispatcher(store, sender, DispatcherSettings(), clock)
        task = asyncio.ensure_future(dispatcher.run())
        await until(lambda: len(receiver.got) == 6)
        await dispatcher.replay(6)
        await until(lambda: len(receiver.got) == 7)
        assert await dispatcher.drain(10)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    waits = [got for got in receiver.got if got.path == "/waits"]
    assert [got.headers["Ce-Jobsequence"] for got in waits] == ["2", "3", "4", "5"]
    parked = [got.headers["Ce-Jobsequence"] for got in receiver.got if got.path == "/parked"]
    assert parked == ["2", "3", "1"]
    for got in receiver.got:
        Webhook(KEY).verify(got.body.decode(), {name.lower(): value for name, value in got.headers.items()})
    assert (await store.counts()).pending == 0
    found = {job.id: decode_record(job.record) for job in (await store.list_jobs()).jobs}
    assert {id_: record.exit_code for id_, record in found.items()} == {
        "waits": 0,
        "parked": 0,
        "gone": 0,
        "gone-by": 0,
    }
    assert [chunk.line_count for chunk in await store.log_chunks(found["waits"].uid, 0, 1 << 20)] == [2]
    await store.close()
    with closing(sqlite3.connect(path)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (database.migrations()[-1][0],)
        assert now.execute("SELECT DISTINCT batch FROM callbacks").fetchall() == [(0,)]


async def test_deliveries_of_before_schema_5_count_from_the_upgrade(tmp_path: Path) -> None:
    path, clock, day_s = tmp_path / "jobd.db", FakeClock(), 86_400
    with closing(sqlite3.connect(path)) as old:
        old.executescript(DUMP.read_text())
        checks.register(old)
        for number, text in database.migrations()[1:4]:
            old.executescript(f"{text}\nPRAGMA user_version = {number};")
        old.execute("UPDATE seen SET ms = ?", (30 * day_s * 1000,))
        destinations = {row[0] for row in old.execute("SELECT lane FROM deliveries WHERE due_at IS NOT NULL")}
        old.commit()
    store = await Store.open(path, clock=clock)
    assert destinations
    for destination in destinations:
        assert await store.expired_jobs(destination, day_s, 3600, 10) == []
    clock.advance(day_s + 1)
    for destination in destinations:
        assert await store.expired_jobs(destination, day_s, 3600, 10) != []
    await store.close()


@pytest.mark.parametrize(
    ("ahead_s", "longest_s"),
    [(600, 600), (0, 0), (-600, 0), (86_400, 0)],
    ids=["waits", "now", "over", "wrong"],
)
async def test_a_delivery_of_an_older_version_keeps_the_rest_of_its_wait(
    tmp_path: Path, ahead_s: int, longest_s: int
) -> None:
    path = tmp_path / "jobd.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(DUMP.read_text())
        at = to_micros(datetime.now(UTC) + timedelta(seconds=ahead_s))
        old.execute("UPDATE deliveries SET due_at = ?, tries = 1 WHERE due_at IS NOT NULL", (at,))
        old.commit()
    store = await Store.open(path)
    found = [
        one
        for waiting in await store.destinations("", 99)
        for one in await store.due(waiting.destination, 99)
    ]
    assert found
    for one in found:
        assert one.due_ms <= store.observed_ms() + longest_s * 1000
        assert (one.due_ms > store.observed_ms()) == (longest_s > 0)
    await store.close()
