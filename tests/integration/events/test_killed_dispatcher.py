"""A dispatcher that is killed between a receiver's answers and their record: what is sent again, and in which order."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from jobd.events.delivery.queues.work_queue import UNSETTLED_PER_WORKER
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.store import Store

DELIVER_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from jobd.clock import SystemClock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.store import Store

class Outbox:
    def __init__(self, store, last): self.store, self.left = store, last
    def __getattr__(self, name): return getattr(self.store, name)
    async def settle(self, settlements):
        self.left -= len(settlements)
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)  # after the receiver's 2xx, before the commit
        return await self.store.settle(settlements)

async def main():
    store = await Store.open(Path(sys.argv[1]))
    async with Sender(EgressPolicy(EgressRule()), SystemClock()) as sender:
        await Dispatcher(Outbox(store, int(sys.argv[2])), sender, DispatcherSettings(), SystemClock()).run()

asyncio.run(main())
"""


async def test_a_crash_between_answers_and_their_record_repeats_those_in_order_under_their_ids(
    tmp_path: Path, jobs: Any, store: Store, receivers: Any
) -> None:
    receiver = await receivers()
    await jobs.emit("x", receiver.url, 200)
    await store.close()
    path = tmp_path / "jobd.db"

    async def life(deaths: int) -> Any:
        command = (sys.executable, "-c", DELIVER_AND_DIE, str(path), str(deaths))
        return await asyncio.create_subprocess_exec(*command, env={**os.environ})

    process = await life(100)
    async with asyncio.timeout(60):
        assert await process.wait() == -signal.SIGKILL
    sent = len(receiver.got)
    with closing(sqlite3.connect(path)) as connection:
        (recorded,) = connection.execute(
            "SELECT count(*) FROM deliveries WHERE state = 'delivered'"
        ).fetchone()
    assert 0 < recorded < sent <= recorded + UNSETTLED_PER_WORKER * DispatcherSettings().workers
    process = await life(10_000)
    async with asyncio.timeout(60):
        while len(receiver.got) < sent + 200 - recorded:
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    ids = [got.headers["Ce-Id"] for got in receiver.got]
    assert ids == [f"x-{n}" for n in (*range(1, sent + 1), *range(recorded + 1, 201))]
    again = receiver.got[recorded], receiver.got[sent]
    assert again[0].body == again[1].body
    assert json.loads(again[1].body)["jobsequence"] == recorded + 1
