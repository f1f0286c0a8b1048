"""No writer can overwrite a version that it has not read, whatever statement it uses."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import NoSuchJob, StaleJob
from jobd.store.store import Store
from jobd.store.tables.rows import Transition

STORE = Path(__file__).parents[3] / "jobd" / "store"


@pytest.mark.parametrize("behind", [0, 1, 3])
async def test_a_stale_row_is_refused_and_not_stored(store: Store, make: Any, behind: int) -> None:
    await store.commit(make.claim())
    for _ in range(3):
        await store.commit(Transition(make.next()))
    stored = await store.get_by_uid("u1")
    assert stored is not None
    stale = make.job(record=b"stale", version=stored.version - behind)
    with pytest.raises(StaleJob):
        await store.commit(Transition(stale, (make.event(),)))
    assert await store.get_by_uid("u1") == stored
    assert await store.list_events(0, None, 10) == []


async def test_a_row_with_a_later_version_is_refused(store: Store, make: Any) -> None:
    await store.commit(make.claim())
    with pytest.raises(StaleJob):
        await store.commit(Transition(make.job(version=2)))


async def test_of_concurrent_updates_one_is_stored(store: Store, make: Any) -> None:
    await store.commit(make.claim())
    rows = [make.job(record=b"%d" % n, version=1) for n in range(20)]
    outcomes = await asyncio.gather(*(store.commit(Transition(row)) for row in rows), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(StaleJob) == 19
    stored = await store.get_by_uid("u1")
    assert stored == rows[outcomes.index([])]


async def test_a_row_of_a_job_that_is_purged_is_refused(store: Store, make: Any) -> None:
    await store.commit(make.claim())
    await store.purge("u1")
    with pytest.raises(NoSuchJob):
        await store.commit(Transition(make.next()))


async def test_a_hidden_row_stays_hidden_after_an_update(store: Store, make: Any) -> None:
    await store.commit(make.claim(live=False, holds_id=False))
    await store.hide("job-1")
    await store.commit(Transition(make.next(live=False, holds_id=False, record=b"cleaned")))
    stored = await store.get_by_uid("u1")
    assert stored is not None
    assert (stored.hidden, stored.record) == (True, b"cleaned")


@pytest.mark.parametrize(
    "change",
    [
        "hidden = 0, version = version + 1",
        "live = 1, version = version + 1",
        "holds_id = 1, version = version + 1",
        "record = x'00'",
        "record = x'00', version = version + 2",
    ],
)
async def test_the_database_itself_refuses_an_older_version(
    store: Store, make: Any, path: Path, change: str
) -> None:
    await store.commit(make.claim(live=False, hidden=True, holds_id=False))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="take back"):
            connection.execute(f"UPDATE jobs SET {change}")
        connection.execute("UPDATE jobs SET record = x'00', version = version + 1")


def test_rows_of_jobs_are_written_by_one_module() -> None:
    statement = re.compile(r"(UPDATE|INTO|DELETE\s+FROM)\s+jobs\b", re.IGNORECASE)
    found = {
        (path.name, match.group(1).split()[0])
        for path in STORE.rglob("*.py")
        for match in statement.finditer(path.read_text())
    }
    assert found == {("jobs.py", "INTO"), ("jobs.py", "UPDATE"), ("maintenance.py", "DELETE")}
