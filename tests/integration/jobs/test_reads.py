"""A request that shows jobs, and a scrape, step to a reader thread once."""

from typing import Any

import pytest

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
