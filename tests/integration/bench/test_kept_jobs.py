"""The ended jobs that the benchmark writes into a store: jobd reads them as its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from jobd.store.store import Store
from jobd.store.tables.rows import Counts
from scripts.bench.support.kept_jobs import keep_jobs, keep_undelivered, kept_id
from tests.support.daemon import Daemon

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}


def test_jobd_shows_kept_jobs_with_their_log_and_events(tmp_path: Path) -> None:
    keep_jobs(tmp_path / "jobd" / "state", 3)
    jobd = Daemon(tmp_path / "jobd", environ=NO_ENGINE).start()
    try:
        listed = jobd.call("GET", "/v1/jobs").json["jobs"]
        assert [job["id"] for job in listed] == [kept_id(2), kept_id(1), kept_id(0)]
        assert {(job["status"], job["exitCode"]) for job in listed} == {("completed", 0)}
        lines = jobd.log_lines(kept_id(1))
        assert [line["line"] for line in lines if "line" in line] == [f"the only line of {kept_id(1)}"]
        events = jobd.call("GET", f"/v1/events?job={kept_id(1)}").body
        assert events.count(b"orchestrator.job.") == 3
    finally:
        jobd.stop()


async def test_kept_jobs_need_no_work(tmp_path: Path) -> None:
    counts = await counted(tmp_path, lambda state: keep_jobs(state, 3))
    assert (counts.jobs, counts.live_jobs, counts.pending) == (3, 0, 0)


async def test_undelivered_events_are_due(tmp_path: Path) -> None:
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    counts = await counted(tmp_path, lambda state: keep_undelivered(state, 2, 5, "http://127.0.0.1:9/", key))
    assert (counts.jobs, counts.live_jobs, counts.pending) == (2, 0, 10)


async def counted(folder: Path, keep: Callable[[Path], None]) -> Counts:
    await asyncio.to_thread(keep, folder / "state")
    store = await Store.open(folder / "state" / "jobd.db")
    try:
        return await store.counts()
    finally:
        await store.close()
