"""Acknowledged commits survive kill -9, reopening, failing changes in the same group and a full disk."""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobd.store.errors import IdTaken, NoSuchJob, StoreClosed, StoreFailed, StoreFull
from jobd.store.store import Store
from jobd.store.tables.rows import JobRow, LogChunk, NewEvent, Transition

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from jobd.store.tables.rows import Callback, JobRow, NewEvent, Transition
from jobd.store.store import Store

async def one(store, n):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    job = JobRow(f"u{n}", f"j{n}", None, "accepted", {}, now, None, True, False, True, b"x" * 700)
    event = NewEvent(f"e{n}", "t", b"body %d" % n, now, True)
    await store.commit(Transition(job, (event,), callback=Callback("http://h/", None, "http://h:80"), claim_id=True))
    print(n, flush=True)

async def main():
    store = await Store.open(Path(sys.argv[1]))
    n = 0
    while True:
        await asyncio.gather(*(one(store, n + k) for k in range(7)))
        n += 7

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 50, 400])
async def test_acknowledged_rows_survive_kill_9(path: Path, acknowledged: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(acknowledged)]
        process.kill()
        said += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    store = await Store.open(path)
    kept = {job.uid for job in await store.live_rows()}
    events = {event.event_id: event.body for event in await store.list_events(0, None, 100_000)}
    assert {f"u{n}" for n in said} <= kept
    assert all(events[f"e{n}"] == b"body %d" % n for n in said)
    assert {uid[1:] for uid in kept} == {event_id[1:] for event_id in events}
    assert (await store.counts()).pending == len(kept)
    await store.close()


LAST = datetime.max.replace(tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment < LAST)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, int, bytes, dict[str, str], int, datetime, bool]:
    kind = draw(st.sampled_from(["claim", "update", "reopen", "purge"]))
    return (
        kind,
        draw(st.integers(0, 4)),
        draw(st.binary(max_size=40)),
        draw(st.dictionaries(texts, texts, max_size=3)),
        draw(st.integers(0, 3)),
        draw(times),
        draw(st.booleans()),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(changes(), max_size=25))
def test_any_sequence_of_changes_reads_back_as_a_plain_model(plan: Any) -> None:
    asyncio.run(_run_plan(plan))


async def _run_plan(plan: Any) -> None:
    jobs: dict[str, JobRow] = {}
    events: list[tuple[str, str, bytes]] = []
    lines: dict[str, list[LogChunk]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobd.db"
        store = await Store.open(path)
        for step, (kind, number, record, labels, count, moment, flag) in enumerate(plan):
            uid = f"u{number}"
            known = jobs.get(uid)
            new = tuple(
                NewEvent(f"{step}-{n}", "t", record + b"%d" % n, moment, deliver=flag) for n in range(count)
            )
            if kind == "reopen":
                await store.close()
                store = await Store.open(path)
            elif kind == "purge":
                assert await store.purge(uid) == (known is not None)
                jobs.pop(uid, None)
                lines.pop(uid, None)
                events = [event for event in events if event[0] != uid]
            elif kind == "claim" or known is None:
                row = JobRow(
                    uid,
                    f"id{number}",
                    None,
                    "accepted",
                    labels,
                    moment,
                    None,
                    flag,
                    False,
                    True,
                    record,
                    record * 2,
                )
                transition = Transition(row, new, claim_id=kind == "claim")
                if kind == "claim" and known is None:
                    await store.commit(transition)
                    jobs[uid] = row
                    events += [(uid, event.event_id, event.body) for event in new]
                else:
                    with pytest.raises(IdTaken if known else NoSuchJob):
                        await store.commit(transition)
            else:
                ended = moment if count % 2 else None
                live = known.live and flag  # a job that is no longer live stays so
                row = replace(
                    known,
                    status="running",
                    record=record,
                    live=live,
                    finished_at=ended,
                    version=known.version + 1,
                )
                first = sum(chunk.line_count for chunk in lines.get(uid, [])) + 1
                chunk = LogChunk(first, first + count, count + 1, record)
                await store.commit(Transition(row, new, (chunk,)))
                jobs[uid] = row
                lines.setdefault(uid, []).append(chunk)
                events += [(uid, event.event_id, event.body) for event in new]
        for _ in range(2):
            assert {job.uid: job for job in (await store.list_jobs()).jobs} == jobs
            going_on = {job.uid for job in await store.live_rows()}
            assert going_on == {u for u, job in jobs.items() if job.live and job.finished_at is None}
            to_clean = {job.uid for job in (await store.ended_live_rows(0, 100)).jobs}
            assert to_clean == {u for u, job in jobs.items() if job.live and job.finished_at is not None}
            kept = [(e.job_uid, e.event_id, e.body) for e in await store.list_events(0, None, 1000)]
            assert kept == events
            for uid in jobs:
                assert await store.log_chunks(uid, 0, 1 << 20) == lines.get(uid, [])
            await store.close()
            store = await Store.open(path)
        await store.close()


async def test_a_failing_change_does_not_fail_its_group(store: Store, make: Any) -> None:
    good = [make.claim(f"u{n}", events=1) for n in range(20)]
    bad = [
        Transition(make.next("nobody")),
        make.claim("u0", id="job-1"),
        replace(make.claim("x"), job=make.job("x", status=None)),
    ]
    outcomes = await asyncio.gather(
        *(store.commit(t) for t in [*good[:10], *bad, *good[10:]]), return_exceptions=True
    )
    kinds = [type(outcome) for outcome in outcomes[10:13]]
    assert kinds == [NoSuchJob, IdTaken, StoreFailed]
    assert all(isinstance(outcome, list) for outcome in [*outcomes[:10], *outcomes[13:]])
    assert len(await store.live_rows()) == 20


async def test_nothing_of_a_refused_transition_is_stored(store: Store, make: Any) -> None:
    broken = replace(make.claim("u1", events=2, port=1), logs=(LogChunk(1, 1, 1, None),))  # type: ignore[arg-type]
    with pytest.raises((StoreFailed, TypeError)):
        await store.commit(broken)
    assert await store.get_by_uid("u1") is None
    assert await store.list_events(0, None, 10) == []
    assert await store.destinations("", 10) == []


async def test_a_full_database_refuses_new_work_and_loses_nothing(path: Path, make: Any) -> None:
    store = await Store.open(path, max_bytes=400_000)
    kept = 0
    for n in range(1000):
        try:
            await store.commit(make.claim(f"u{n}", record=os.urandom(4000)))
        except StoreFull:
            break
        kept += 1
    assert 10 < kept < 1000
    outcomes = await asyncio.gather(
        *(store.commit(make.claim(f"v{n}", record=os.urandom(400_000))) for n in range(3)),
        store.commit(Transition(make.next("u0", status="running"))),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StoreFull, StoreFull, StoreFull, list]
    assert len(await store.live_rows()) == kept
    for n in range(10):
        assert await store.purge(f"u{n}")
    await store.commit(make.claim("again", record=os.urandom(4000)))
    await store.close()
    store = await Store.open(path)
    assert len(await store.live_rows()) == kept - 10 + 1
    await store.close()


async def test_the_file_shrinks_after_a_purge(store: Store, make: Any, path: Path) -> None:
    for n in range(20):
        await store.commit(make.claim(f"u{n}", record=os.urandom(200_000), live=False))
    full = (await store.counts()).size_bytes
    assert len(await store.expire(0, 100)) == 20
    assert await store.remove_hidden() == 20
    assert (await store.counts()).size_bytes < full / 10
    await store.vacuum()
    assert path.stat().st_size < full / 3
    assert (await store.counts()).wal_bytes == 0
    await store.close()


async def test_the_log_file_stays_bounded(store: Store, make: Any) -> None:
    await store.commit(make.claim())
    for _ in range(60):
        await store.commit(Transition(make.next(record=os.urandom(500_000))))
    assert (await store.counts()).wal_bytes < 20 << 20


async def test_close_writes_queued_changes_and_then_refuses_others(path: Path, make: Any) -> None:
    store = await Store.open(path)
    waiting = [asyncio.ensure_future(store.commit(make.claim(f"u{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)
    await store.close()
    with pytest.raises(StoreClosed):
        await store.commit(make.claim("late"))
    with pytest.raises(StoreClosed):
        await store.get_by_uid("u1")
    store = await Store.open(path)
    assert len(await store.live_rows()) == 50
    await store.close()


async def test_more_callers_than_the_queue_holds_are_all_served(store: Store, make: Any) -> None:
    await asyncio.gather(*(store.commit(make.claim(f"u{n}")) for n in range(5000)))
    assert (await store.counts()).jobs == 5000


async def test_a_cancelled_caller_does_not_disturb_other_callers(store: Store, make: Any) -> None:
    tasks = [asyncio.ensure_future(store.commit(make.claim(f"u{n}"))) for n in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(outcome == [] for outcome in outcomes[1::2])
    await store.commit(make.claim("after"))
    kept = {job.uid for job in await store.live_rows()}
    assert {f"u{n}" for n in range(1, 100, 2)} | {"after"} <= kept


async def test_the_writer_continues_after_a_disk_failure(path: Path, make: Any) -> None:
    store = await Store.open(path)
    await store.commit(make.claim("before"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (256 << 10, hard)
    )  # every write beyond this offset fails, as on a bad disk
    try:
        outcomes = await asyncio.gather(
            *(store.commit(make.claim(f"u{n}", record=os.urandom(400_000))) for n in range(3)),
            return_exceptions=True,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [type(outcome) for outcome in outcomes] == [StoreFailed] * 3
    await store.commit(make.claim("after"))
    assert [job.uid for job in await store.live_rows()] == ["before", "after"]
    await store.close()
    store = await Store.open(path)
    assert [job.uid for job in await store.live_rows()] == ["before", "after"]
    await store.close()
