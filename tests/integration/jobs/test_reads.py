"""A request that shows jobs, and a scrape, step to a reader thread once; an ended job that was shown before, never."""

from typing import Any

import msgspec
import pytest

from jobd.api.job_views import JobViews
from jobd.errors import NotFound
from jobd.jobs.service import VIEWS_AT_ONCE, ListQuery


@pytest.fixture
def reads(system: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each query that a reader thread gets."""
    seen: list[Any] = []
    read = system.store._reader.read

    async def counted(query: Any) -> Any:
        seen.append(query)
        return await read(query)

    monkeypatch.setattr(system.store._reader, "read", counted)
    return seen


async def test_one_job_is_one_read(system: Any, reads: list[Any]) -> None:
    system.queue.limit = 0
    await system.submit(id="a")
    reads.clear()
    assert (await system.service.get("a")).queue_position == 1
    assert len(reads) == 1


async def test_an_ended_job_is_read_once(system: Any, reads: list[Any]) -> None:
    views = JobViews(system.service, system.store.ended_views)
    await _end(system, "a")
    first = await views.json("a")
    reads.clear()
    assert await views.json("a") == first
    assert msgspec.json.decode(first)["status"] == "completed"
    assert reads == []


async def test_no_view_from_before_a_change_is_shown_after_it(system: Any) -> None:
    views = JobViews(system.service, system.store.ended_views)
    record = await _end(system, "a")
    before = msgspec.json.decode(await views.json("a"))
    system.clock.advance(system.service._retention.settings.job_retention_s + 1)
    await system.retention.sweep()
    await system.until(record, lambda now: now.removal is not None)
    after = msgspec.json.decode(await views.json("a"))
    assert (before.get("filesUntil") is None, after.get("filesUntil") is None) == (False, True)
    await system.service.delete("a", "me")
    with pytest.raises(NotFound):
        await views.json("a")


async def test_a_new_job_is_shown_in_place_of_an_ended_one_with_its_id(system: Any) -> None:
    views = JobViews(system.service, system.store.ended_views)
    first = await _end(system, "a")
    await views.json("a")
    await system.service.delete("a", "me")
    await _gone(system, first)
    system.queue.limit = 0
    second = await system.submit(id="a", command=["second"])
    shown = msgspec.json.decode(await views.json("a"))
    assert (shown["uid"], shown["status"]) == (second.uid, "accepted")


async def test_a_view_of_a_job_that_still_has_a_supervisor_is_not_final(system: Any) -> None:
    """The record in memory changes after the commit of the row: a view made in between would stay."""
    record = await _end(system, "a")
    assert (await system.service.show("a"))[1]
    system.supervisors._supervisors[record.uid] = system.supervisors.get_or_make(record)
    try:
        assert not (await system.service.show("a"))[1]
    finally:
        del system.supervisors._supervisors[record.uid]


async def _end(system: Any, job_id: str) -> Any:
    """Runs a job to its end; its supervisor has ended too."""
    record = await system.submit(id=job_id)
    await system.until(record, lambda now: now.phase == "running")
    system.engine.end(job_id, "worker", 0)
    ended = await system.ended(record)
    await _gone(system, record)
    return ended


async def _gone(system: Any, record: Any) -> None:
    while system.supervisors.get(record.uid) is not None:
        await system.store.has_job(record.uid)


async def test_one_page_of_jobs_is_one_read_with_each_position(system: Any, reads: list[Any]) -> None:
    system.queue.limit = 0
    count = min(VIEWS_AT_ONCE, 60)
    for number in range(count):
        await system.submit(id=f"j{number}")
    reads.clear()
    page = await system.service.page(ListQuery(statuses=frozenset({"accepted"}), limit=1000))
    assert [job.queue_position for job in page.jobs] == list(range(count, 0, -1))
    assert len(reads) == 1


async def test_the_counts_of_a_scrape_are_one_read(system: Any, reads: list[Any]) -> None:
    await system.store.counts()
    assert len(reads) == 1
