"""The list of jobs in SQL: filters, order, pages and cursors. Pure functions of a connection.

No single index has both the order of a list and each filter. A page therefore comes from one of two plans: if few jobs match one of
the filters, from the index of that filter alone; otherwise from a walk over the newest jobs, of at most `WALKED_ROWS` rows. A page of a
set's jobs is always a walk over the jobs of the set.
"""
# ruff: noqa: S608 - only clauses of this file are put together; every value is a parameter

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from jobd.store.sqlite.timestamps import to_micros
from jobd.store.tables.jobs.job_decoder import decode_job
from jobd.store.tables.jobs.jobs import READ
from jobd.store.tables.rows import JobPage, JobRow

UNREADABLE = "unreadable"
"""The status of a damaged row, whatever its column says."""
SCANNED_ROWS = 2000
"""The most rows that are read for one page of damaged rows."""
FEW_ROWS = 2000
"""A filter that at most so many jobs match is answered by its index."""
WALKED_ROWS = 10_000
"""The most rows, newest first, among which one page is looked for if every filter matches many jobs."""
_LAST_CHARACTER = "\U0010ffff"
_NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Filter:
    """`where`: the condition on a row of jobs. `matches`: a query of the numbers that match, by an index of the filter alone."""

    where: str
    matches: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Walk:
    """The rows of a walk: those of an index in which `where` holds."""

    index: str
    where: str = ""
    values: tuple[object, ...] = ()


def page(
    connection: sqlite3.Connection,
    statuses: frozenset[str] | None,
    labels: Mapping[str, str],
    owner: str | None,
    since: datetime | None,
    prefix: str,
    cursor: str | None,
    limit: int,
    max_bytes: int,
    known_damaged: Collection[int] = (),
    set_name: str | None = None,
) -> JobPage:
    """Returns one page of the jobs that are not hidden, newest first: up to `limit` and `max_bytes`. A page without a job may have a
    cursor: the next page continues the walk.

    No index tells which rows are damaged. The status `unreadable` alone reads all rows, `SCANNED_ROWS` a page; together with other
    statuses it adds the rows with the numbers `known_damaged`, so that a list of running jobs does not read the whole history.

    Raises:
        ValueError: the cursor is not from a page of this list.
    """
    if statuses is not None and not statuses:
        return JobPage([], None)
    before = _NEWEST if cursor is None else _cursor(cursor)
    others = sorted(statuses - {UNREADABLE}) if statuses is not None else []
    only_damaged = statuses is not None and not others
    damaged = known_damaged if statuses is not None and UNREADABLE in statuses else ()
    filters = [*_filters(others, damaged, owner, since, prefix), *map(_labelled, labels.items())]
    walked = (
        _Walk("jobs_listed") if set_name is None else _Walk("jobs_by_set", "set_name = ? AND ", (set_name,))
    )
    few = _most_selective(connection, filters) if set_name is None else None
    # The walk ends at a row, so that one page reads a bounded number of rows; a list without filters ends at its limit.
    floor = _walk_end(connection, before, walked) if filters and few is None else 0
    wheres = ["hidden = 0", "n < ?", "n >= ?", *(one.where for one in filters)]
    values: list[object] = [before, floor, *(value for one in filters for value in one.values)]
    if few is not None:
        wheres.append(f"n IN ({few.matches})")
        values.extend(few.values)
    # The inner query reads the index alone; the outer one reads only the rows of the page.
    scanned = SCANNED_ROWS if only_damaged else limit
    chosen = (
        f"SELECT n FROM jobs INDEXED BY {walked.index} WHERE {walked.where}{' AND '.join(wheres)}"
        " ORDER BY n DESC LIMIT ?"
    )
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n IN ({chosen}) ORDER BY n DESC",
        (*walked.values, *values, scanned + 1),
    )
    found: list[JobRow] = []
    size, last = 0, 0
    for count, job in enumerate(map(decode_job, rows)):
        wanted = statuses is None or (UNREADABLE if job.damage else job.status) in statuses
        size += len(job.spec) + len(job.record) if wanted else 0
        if count == scanned or (wanted and (len(found) == limit or (found and size > max_bytes))):
            return JobPage(found, str(last))
        if wanted:
            found.append(job)
        last = job.number
    return JobPage(found, str(floor) if floor else None)


def highest_number(connection: sqlite3.Connection, prefix: str, digits: int) -> int:
    """Returns the highest number of up to `digits` digits with which an id continues `prefix`, of hidden jobs too; 0 if there is none."""
    row = connection.execute(
        "SELECT max(CAST(substr(id, ?) AS INTEGER)) FROM jobs INDEXED BY jobs_by_id"
        " WHERE id >= ? AND id < ? AND length(id) <= ? AND substr(id, ?) NOT GLOB '*[^0-9]*'",
        (
            len(prefix) + 1,
            prefix,
            prefix + _LAST_CHARACTER,
            len(prefix) + digits,
            len(prefix) + 1,
        ),
    ).fetchone()
    return int(row[0] or 0)


def _filters(
    statuses: list[str], damaged: Collection[int], owner: str | None, since: datetime | None, prefix: str
) -> list[_Filter]:
    found: list[_Filter] = []
    if statuses:
        where, values = f"status IN ({', '.join('?' * len(statuses))})", tuple(statuses)
        matches = f"SELECT n FROM jobs INDEXED BY jobs_by_status WHERE {where}"
        if damaged:
            numbers = "SELECT value FROM json_each(?)"
            where, matches = f"({where} OR n IN ({numbers}))", f"{matches} UNION ALL {numbers}"
            values = (*values, json.dumps(list(damaged)))
        found.append(_Filter(where, matches, values))
    if owner is not None:
        matches = "SELECT n FROM jobs INDEXED BY jobs_by_owner WHERE owner = ?"
        found.append(_Filter("owner = ?", matches, (owner,)))
    if since is not None:
        matches = "SELECT n FROM jobs INDEXED BY jobs_by_time WHERE created_at >= ?"
        found.append(_Filter("created_at >= ?", matches, (to_micros(since),)))
    if prefix:
        where = "id >= ? AND id < ?"
        matches = f"SELECT n FROM jobs INDEXED BY jobs_by_id WHERE {where}"
        found.append(_Filter(where, matches, (prefix, prefix + _LAST_CHARACTER)))
    return found


def _labelled(label: tuple[str, str]) -> _Filter:
    matches = "SELECT job FROM job_labels WHERE name = ? AND value = ?"
    where = "EXISTS (SELECT 1 FROM job_labels l WHERE l.name = ? AND l.value = ? AND l.job = jobs.n)"
    return _Filter(where, matches, label)


def _most_selective(connection: sqlite3.Connection, filters: list[_Filter]) -> _Filter | None:
    """Returns the filter that the fewest jobs match, None if more than `FEW_ROWS` match each filter."""
    found, fewest = None, FEW_ROWS + 1
    for one in filters:
        count: int = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM ({one.matches}) LIMIT ?)", (*one.values, fewest)
        ).fetchone()[0]
        if count < fewest:
            found, fewest = one, count
    return found


def _walk_end(connection: sqlite3.Connection, before: int, walked: _Walk) -> int:
    """Returns the last of the `WALKED_ROWS` rows below `before`, 0 if there are no more rows below these."""
    row = connection.execute(
        f"SELECT n FROM jobs INDEXED BY {walked.index} WHERE {walked.where}n < ? ORDER BY n DESC LIMIT 1 OFFSET ?",
        (*walked.values, before, WALKED_ROWS - 1),
    ).fetchone()
    return 0 if row is None else int(row[0])


def damaged_rows(connection: sqlite3.Connection, after: int, limit: int) -> tuple[list[int], int | None]:
    """Returns the numbers of the damaged rows among the next `limit` rows, and the number of the last of these; None at the end."""
    rows = connection.execute(
        f"SELECT {READ} FROM jobs WHERE n > ? AND hidden = 0 ORDER BY n LIMIT ?", (after, limit)
    )
    found: list[int] = []
    count, last = 0, after
    for job in map(decode_job, rows):
        count, last = count + 1, job.number
        if job.damage:
            found.append(job.number)
    return found, last if count == limit else None


def _cursor(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError("not a cursor of this list")
    return int(text)
