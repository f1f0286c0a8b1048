"""Lists of jobs: each filter, alone and with others, on both plans of a page; a page costs the same however many jobs are kept."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobd.store.sqlite import database
from jobd.store.store import Store
from jobd.store.tables.jobs import jobs, listing
from jobd.store.tables.rows import JobRow
from tests.integration.store.conftest import START, Make

NONE: dict[str, Any] = {
    "statuses": None,
    "labels": {},
    "owner": None,
    "since": None,
    "prefix": "",
    "set_name": None,
}
RARE: list[dict[str, Any]] = [
    {},
    {"statuses": frozenset({"running"})},
    {"statuses": frozenset({"running", "accepted", listing.UNREADABLE})},
    {"statuses": frozenset({listing.UNREADABLE})},
    {"statuses": frozenset({listing.UNREADABLE}), "labels": {"team": "a", "not": "a"}},
    {"labels": {"n": "7"}},
    {"labels": {"team": "a", "n": "7"}},
    {"labels": {"team": "a", "not": "a"}},
    {"owner": "nobody"},
    {"since": START + timedelta(days=300)},
    {"prefix": "none"},
    {"owner": "me", "prefix": "job-7", "since": START},
    {"set_name": "first"},
    {"set_name": "first", "statuses": frozenset({"running"})},
    {"set_name": "none"},
]


@dataclass
class Kept:
    """A database with some jobs, and the same jobs in memory."""

    connection: sqlite3.Connection
    rows: list[JobRow]

    def pages(self, query: dict[str, Any], limit: int) -> list[list[str]]:
        found, cursor = [], None
        while True:
            page = listing.page(
                self.connection, **NONE | query, cursor=cursor, limit=limit, max_bytes=1 << 20
            )
            found.append([job.id for job in page.jobs])
            cursor = page.cursor
            if cursor is None:
                return found


@pytest.fixture
def keep(path: Path, make: Make) -> Iterator[Callable[[int], Kept]]:
    database.prepare(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        kept = Kept(connection, [])
        chance = random.Random(1)

        def fill(count: int) -> Kept:
            connection.execute("BEGIN")
            for n in range(len(kept.rows), count):
                team = chance.choice("ab")
                row = make.job(
                    f"u{n}",
                    status=chance.choice(["completed", "failed"]),
                    owner=chance.choice(["me", "you"]),
                    labels={"team": team, "not": "ba"["ab".index(team)], "n": str(n)},
                    created_at=START + timedelta(seconds=n - chance.choice([0, 0, 0, 50])),
                    hidden=n % 7 == 0,
                    set_name="first" if n < 60 else chance.choice([None, "a", "b"]),
                )
                jobs.insert(connection, row, 1)
                kept.rows.append(row)
            connection.execute("COMMIT")
            return kept

        yield fill


def matches(row: JobRow, query: dict[str, Any]) -> bool:
    wanted = NONE | query
    return (
        not row.hidden
        and (wanted["statuses"] is None or row.status in wanted["statuses"])
        and wanted["labels"].items() <= row.labels.items()
        and wanted["set_name"] in (None, row.set_name)
        and wanted["owner"] in (None, row.owner)
        and (wanted["since"] is None or row.created_at >= wanted["since"])
        and row.id.startswith(wanted["prefix"])
    )


def test_the_highest_number_after_a_prefix_counts_hidden_jobs_and_no_other_ids(
    path: Path, make: Make
) -> None:
    database.prepare(path).close()
    ids = ["a-9", "a-10", "a-x", "a-", "a-11x", "a-123456", "a-b-7", "b-99", "a", "A-50", "a--12"]
    with closing(sqlite3.connect(path)) as connection:
        for number, job_id in enumerate(ids):
            jobs.insert(connection, make.job(f"u{number}", id=job_id, hidden=job_id == "a-10"), 1)
        assert listing.highest_number(connection, "a-", 5) == 10
        assert listing.highest_number(connection, "a-", 6) == 123456
        assert listing.highest_number(connection, "a-b-", 5) == 7
        assert listing.highest_number(connection, "c-", 5) == 0


@pytest.mark.parametrize("few", [0, 40, 1000], ids=["walks", "either", "indexes"])
def test_any_filters_give_each_matching_job_once_and_the_newest_first(
    keep: Callable[[int], Kept], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW_ROWS", few)
    monkeypatch.setattr(listing, "WALKED_ROWS", 30)
    kept = keep(200)
    chance = random.Random(few)
    choices: dict[str, list[Any]] = {
        "statuses": [frozenset({"failed"}), frozenset({"failed", "completed"}), frozenset({"failed", listing.UNREADABLE})],
        "labels": [{"team": "a"}, {"n": "33"}, {"team": "b", "n": "34"}],
        "owner": ["me", "nobody"],
        "since": [START + timedelta(seconds=s) for s in (0, 120, 199)],
        "prefix": ["job-1", "job-19", "j", "x"],
        "set_name": ["first", "a", "none"],
    }  # fmt: skip
    for _ in range(60):
        names = chance.sample(sorted(choices), chance.randint(0, 3))
        query = {name: chance.choice(choices[name]) for name in names}
        limit = chance.choice([1, 7, 100])
        pages = kept.pages(query, limit)
        expected = [row.id for row in reversed(kept.rows) if matches(row, query)]
        assert [job for page in pages for job in page] == expected, query
        assert all(len(page) <= limit for page in pages)


def test_a_list_without_filters_has_full_pages(keep: Callable[[int], Kept]) -> None:
    pages = keep(60).pages({}, 10)
    assert {len(page) for page in pages[:-1]} == {10}


@pytest.mark.parametrize("few", [0, 1000], ids=["walks", "indexes"])
def test_pages_of_damaged_rows_have_each_row_once(
    keep: Callable[[int], Kept], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW_ROWS", few)
    monkeypatch.setattr(listing, "WALKED_ROWS", 30)
    monkeypatch.setattr(listing, "SCANNED_ROWS", 20)
    kept = keep(200)
    damaged = [row for row in kept.rows if row.uid in {f"u{n}" for n in range(0, 200, 3)}]
    damage = "UPDATE jobs SET record = x'00', version = version + 1 WHERE uid = ?"
    kept.connection.executemany(damage, [(row.uid,) for row in damaged])
    for query in ({}, {"labels": {"team": "a"}}, {"owner": "me", "prefix": "job-1"}, {"labels": {"n": "33"}}):
        pages = kept.pages(query | {"statuses": frozenset({listing.UNREADABLE})}, 2)
        expected = [row.id for row in reversed(damaged) if matches(row, query)]
        assert [job for page in pages for job in page] == expected, query
        assert expected


@pytest.mark.parametrize("query", RARE, ids=range(len(RARE)))
def test_a_page_costs_the_same_however_many_jobs_are_kept(
    keep: Callable[[int], Kept], query: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW_ROWS", 20)
    monkeypatch.setattr(listing, "WALKED_ROWS", 100)
    monkeypatch.setattr(listing, "SCANNED_ROWS", 100)

    def cost(kept: Kept) -> int:
        """Counts instructions of SQLite's virtual machine, in hundreds."""
        steps = [0]

        def count() -> int:
            steps[0] += 1
            return 0

        kept.connection.set_progress_handler(count, 100)
        listing.page(kept.connection, **NONE | query, cursor=None, limit=20, max_bytes=1 << 20)
        kept.connection.set_progress_handler(None, 0)
        return steps[0]

    few = cost(keep(300))
    many = cost(keep(3000))
    assert many <= few * 2 + 10


async def test_the_liveness_of_many_jobs_is_read_at_once(
    store: Store, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobd.store.stores.job_store.LIVENESS_UIDS", 3)
    for n in range(8):
        await store.commit(make.claim(f"u{n}", live=n % 2 == 0, hidden=n % 4 == 0))
    wanted = [f"u{n}" for n in range(12)]
    assert await store.liveness(wanted) == {f"u{n}": n % 2 == 0 for n in range(8)}
    assert await store.liveness([]) == {}
