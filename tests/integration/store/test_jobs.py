"""Jobs, events and logs round-trip; an id is claimed once."""

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import IdTaken, NoSuchJob, StaleJob
from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Settlement
from jobd.store.tables.rows import LogChunk, LogStats, Transition
from tests.support.fakes.clock import FakeClock


async def test_a_job_round_trips(store: Store, make: Any) -> None:
    job = make.job(
        labels={"team": "ä", "k": 'v"'}, record=bytes(range(256)), finished_at=make.start, owner=None
    )
    assert await store.commit(Transition(job, claim_id=True)) == []
    assert await store.get_by_id(job.id) == job
    assert await store.get_by_uid(job.uid) == job
    assert await store.get_by_id("other") is None
    assert await store.get_by_uid("other") is None


async def test_an_update_replaces_the_mutable_columns(store: Store, make: Any) -> None:
    await store.commit(make.claim())
    changed = make.next(status="completed", live=False, holds_id=False, record=b"new", finished_at=make.start)
    await store.commit(Transition(changed))
    assert await store.get_by_uid("u1") == changed


async def test_an_update_of_an_unknown_row_is_refused(store: Store, make: Any) -> None:
    with pytest.raises(NoSuchJob):
        await store.commit(Transition(make.next()))
    assert await store.get_by_uid("u1") is None


async def test_of_two_concurrent_claims_of_one_id_one_succeeds(store: Store, make: Any) -> None:
    claims = [make.claim(f"u{n}", id="same") for n in range(20)]
    outcomes = await asyncio.gather(*(store.commit(c) for c in claims), return_exceptions=True)
    won = [n for n, outcome in enumerate(outcomes) if outcome == []]
    lost = [outcome for outcome in outcomes if isinstance(outcome, IdTaken)]
    assert len(won) == 1
    assert len(lost) == 19
    assert {error.existing.uid for error in lost} == {f"u{won[0]}"}


async def test_an_id_is_free_once_no_row_holds_it(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", id="same"))
    await store.commit(Transition(make.next("u1", id="same", holds_id=False, live=False)))
    await store.commit(make.claim("u2", id="same"))
    newest = await store.get_by_id("same")
    assert newest is not None
    assert newest.uid == "u2"


async def test_a_hidden_job_is_found_only_by_uid(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", id="same", holds_id=False))
    await store.commit(make.claim("u2", id="same"))
    await store.commit(Transition(make.next("u2", id="same", hidden=True)))
    found = await store.get_by_id("same")
    assert found is not None
    assert found.uid == "u1"
    assert (await store.get_by_uid("u2")) is not None
    assert [job.uid for job in (await store.list_jobs()).jobs] == ["u1"]
    with pytest.raises(IdTaken) as taken:
        await store.commit(make.claim("u3", id="same"))
    assert taken.value.existing.hidden


async def test_live_rows_are_jobs_that_run_or_are_being_deleted(store: Store, make: Any) -> None:
    for n in range(4):
        await store.commit(make.claim(f"u{n}", live=n % 2 == 0))
    await store.commit(make.claim("u4", finished_at=make.start))
    await store.commit(make.claim("u5", finished_at=make.start, hidden=True))
    assert [job.uid for job in await store.live_rows()] == ["u0", "u2", "u5"]


async def test_ended_jobs_are_cleaned_in_the_order_in_which_they_ended(
    store: Store, clock: FakeClock, make: Any, later: Any
) -> None:
    for n in reversed(range(6)):  # by the wall clock they ended in reverse order, which does not count
        await store.commit(make.claim(f"u{n}", finished_at=later(n), live=n != 3))
        clock.advance(1)
    await store.commit(make.claim("u9"))
    page = await store.ended_live_rows(2, 3)
    assert [job.uid for job in page.jobs] == ["u5", "u4", "u2"]
    assert page.cursor is not None
    page = await store.ended_live_rows(2, 3, page.cursor)
    assert [job.uid for job in page.jobs] == ["u1"]
    assert page.cursor is not None
    assert (await store.ended_live_rows(2, 3, page.cursor)).jobs == []
    assert [job.uid for job in (await store.ended_live_rows(5.5, 9)).jobs] == ["u5"]


async def test_the_first_observed_end_of_a_job_counts(store: Store, clock: FakeClock, make: Any) -> None:
    await store.commit(make.claim("u1"))
    clock.advance(10)
    await store.commit(Transition(make.next("u1", finished_at=make.start)))
    clock.advance(10)
    await store.commit(Transition(make.next("u1", finished_at=make.start, live=False)))
    assert await store.expire(10.5, 9) == []
    assert await store.expire(10, 9) == ["u1"]


@pytest.mark.parametrize("boot", ["fake", "another"])
async def test_observed_time_continues_across_runs(path: Path, make: Any, boot: str) -> None:
    clock = FakeClock()
    store = await Store.open(path, clock=clock)
    clock.advance(1000)
    await store.commit(make.claim("u1", finished_at=make.start))
    clock.advance(50)
    await store.close()
    again = FakeClock(boot=boot)
    again.advance(
        1100 if boot == "fake" else 7
    )  # 50 s after the end of that run, or of another boot, of which no more is known
    store = await Store.open(path, clock=again)
    seen_s = 100 if boot == "fake" else 50
    assert (await store.ended_live_rows(seen_s, 9)).jobs != []
    assert (await store.ended_live_rows(seen_s + 1, 9)).jobs == []
    again.advance(10)
    assert (await store.ended_live_rows(seen_s + 10, 9)).jobs != []
    await store.close()


async def test_a_kill_loses_no_observed_time_of_an_ended_job(path: Path, make: Any) -> None:
    clock = FakeClock()
    store = await Store.open(path, clock=clock)
    clock.advance(1000)
    await store.commit(make.claim("u1", finished_at=make.start))
    killed = path.with_name("killed.db")
    for suffix in ("", "-wal"):
        shutil.copy(str(path) + suffix, str(killed) + suffix)
    await store.close()
    again = FakeClock(boot="another")
    store = await Store.open(killed, clock=again)
    assert (await store.ended_live_rows(0, 9)).jobs != []
    again.advance(5)
    assert (await store.ended_live_rows(5, 9)).jobs != []
    await store.close()


async def test_an_update_does_not_change_the_spec(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", spec=b"the spec"))
    await store.commit(Transition(make.next("u1", spec=b"", record=b"new")))
    for found in (
        await store.get_by_uid("u1"),
        await store.get_by_id("job-1"),
        (await store.list_jobs()).jobs[0],
    ):
        assert found is not None
        assert (found.spec, found.record) == (b"the spec", b"new")


async def test_hide_hides_ended_jobs_and_purge_removes_them(store: Store, make: Any) -> None:
    for n in range(3):
        await store.commit(make.claim(f"u{n}", id="same", live=n == 2, holds_id=n == 2))
    await store.commit(make.claim("u3", id="other", live=False))
    await store.hide("same")
    assert [job.uid for job in (await store.list_jobs()).jobs] == ["u3", "u2"]
    assert await store.remove_hidden() == 2
    assert await store.remove_hidden() == 0


async def test_a_hidden_job_remains_until_its_events_are_delivered(
    store: Store, make: Any, later: Any
) -> None:
    await store.commit(make.claim("u1", events=1, port=1, hidden=True, live=False))
    assert await store.remove_hidden() == 0
    await store.settle([Settlement(1, "delivered", later(1))])
    assert await store.remove_hidden() == 1


async def test_events_are_numbered_over_all_jobs(store: Store, make: Any) -> None:
    first = await store.commit(make.claim("u1", events=2))
    second = await store.commit(make.claim("u2", events=1))
    third = await store.commit(Transition(make.next("u1"), (make.event(),)))
    assert [event.seq for event in [*first, *second, *third]] == [1, 2, 3, 4]
    assert await store.list_events(0, None, 10) == [*first, *second, *third]
    assert await store.list_events(1, "u1", 10) == [first[1], *third]
    assert await store.list_events(1, None, 2) == [first[1], *second]
    assert await store.last_seq() == 4


async def test_a_repeated_commit_stores_its_events_once(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", port=1))
    again = Transition(make.next("u1"), (make.event(), make.event()), (LogChunk(1, 2, 2, b"a\nb\n"),))
    first = await store.commit(again)
    with pytest.raises(StaleJob):
        await store.commit(again)
    assert await store.list_events(0, None, 10) == first
    assert await store.commit(replace(again, job=make.next("u1"))) == first
    assert await store.list_events(0, None, 10) == first
    assert len(await store.deliveries("u1", 0, 10)) == 2
    assert await store.log_stats("u1") == LogStats(2, 2, 4)


async def test_a_number_is_never_used_again_after_a_purge(store: Store, make: Any) -> None:
    await store.commit(make.claim("u1", events=3, live=False))
    assert await store.purge("u1")
    assert await store.last_seq() == 3
    assert [e.seq for e in await store.commit(make.claim("u2", events=1))] == [4]


async def test_a_page_of_events_is_bounded_in_bytes_but_never_empty(store: Store, make: Any) -> None:
    big = tuple(make.event(body=b"x" * (3 << 20)) for _ in range(3))
    await store.commit(replace(make.claim("u1"), events=big))
    assert [e.seq for e in await store.list_events(0, None, 10)] == [1]
    assert [e.seq for e in await store.list_events(1, None, 10)] == [2]


async def test_log_chunks_resume_after_any_line(store: Store, make: Any) -> None:
    chunks = [LogChunk(1, 3, 3, b"abc"), LogChunk(4, 4, 1, b"d"), LogChunk(5, 9, 5, b"efghi")]
    await store.commit(replace(make.claim(), logs=tuple(chunks[:2])))
    await store.commit(Transition(make.next(), logs=(chunks[2],)))
    assert await store.log_chunks("u1", 0, 1 << 20) == chunks
    assert await store.log_chunks("u1", 2, 1 << 20) == chunks
    assert await store.log_chunks("u1", 3, 1 << 20) == chunks[1:]
    assert await store.log_chunks("u1", 8, 1) == chunks[2:]
    assert await store.log_chunks("u1", 9, 1) == []
    assert await store.log_chunks("u1", 0, 4) == chunks[:2]
    assert await store.log_chunks("u1", 0, 0) == chunks[:1]
    assert await store.log_stats("u1") == LogStats(9, 9, 9)
    assert await store.log_stats("none") == LogStats(0, 0, 0)


async def test_pages_of_jobs_are_newest_first_and_complete(store: Store, make: Any) -> None:
    await asyncio.gather(*(store.commit(make.claim(f"u{n}")) for n in range(25)))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page = await store.list_jobs(limit=4, cursor=cursor)
        seen += [job.uid for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
        await store.commit(make.claim(f"u{1000 + len(seen)}"))  # a new job changes no page
    assert seen == [f"u{n}" for n in reversed(range(25))]
    assert cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1 OR 1=1", "²", "9" * 30])
async def test_an_invalid_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await store.list_jobs(cursor=cursor)


async def test_filters_are_all_applied(store: Store, make: Any) -> None:
    def at(n: int) -> Any:
        return make.start + timedelta(seconds=n)

    for n in range(12):
        status = ("accepted", "running", "completed")[n % 3]
        labels = {"team": "a" if n % 2 else "b", "n": str(n)}
        await store.commit(
            make.claim(f"u{n}", status=status, labels=labels, owner=str(n % 2), created_at=at(n))
        )

    async def uids(**filters: object) -> list[int]:
        page = await store.list_jobs(**filters)  # type: ignore[arg-type]
        return [int(job.uid[1:]) for job in page.jobs]

    assert await uids(statuses=frozenset({"running"})) == [10, 7, 4, 1]
    assert await uids(statuses=frozenset()) == []
    assert await uids(statuses=frozenset({"running", "accepted"}), limit=3) == [10, 9, 7]
    assert await uids(labels={"team": "a"}) == [11, 9, 7, 5, 3, 1]
    assert await uids(labels={"team": "a", "n": "5"}) == [5]
    assert await uids(labels={"team": "c"}) == []
    assert await uids(owner="0", statuses=frozenset({"completed"})) == [8, 2]
    assert await uids(since=at(10)) == [11, 10]
    assert await uids(prefix="job-1") == [11, 10, 1]
    assert await uids(prefix="job-%") == []


async def test_a_page_among_many_jobs_reads_the_index_alone(store: Store, make: Any) -> None:
    import sqlite3

    plan = sqlite3.connect(store._path).execute(
        "EXPLAIN QUERY PLAN SELECT n FROM jobs INDEXED BY jobs_listed WHERE hidden = 0 AND n < 5 AND status IN ('a')"
        " AND owner = 'o' AND created_at >= 1 AND id >= 'a' ORDER BY n DESC LIMIT 3"
    )
    text = " ".join(str(row[3]) for row in plan)
    assert "COVERING INDEX jobs_listed" in text
    assert "TEMP B-TREE" not in text
