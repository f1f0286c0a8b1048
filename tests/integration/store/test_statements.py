"""No statement of the store reads a whole table: its plan is a search by an index, or the statement is in a list with its reason.

The statements come from the code: each call of `execute` in `jobd/store` must run here, with the text that it has then. SQLite plans
without statistics, so the plan of an empty table is that of a table of any size.
"""

import ast
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import DeliveriesPending, IdTaken, NoSuchJob, StaleJob
from jobd.store.sqlite import database
from jobd.store.tables import events, groups, logs, maintenance, observed_time, outbox, settling, transitions
from jobd.store.tables.delivery_rows import Outcome, Settlement
from jobd.store.tables.jobs import ends, job_changes, jobs, listing, sets
from jobd.store.tables.rows import Ending, GroupRow, LogChunk, Transition
from tests.integration.store.conftest import START, Make
from tests.support.fakes.clock import FakeClock

STORE = Path(database.__file__).parents[1]
SMALL = re.compile(
    r"SCAN (\(subquery-\d+\)|(\d+ )?CONSTANT ROWS?|sqlite_sequence|seen|json_each VIRTUAL .*|settled|wanted|firsts|SUBQUERY \d+)$"
)
"""Scans of what is not a table of jobs: a subquery with a limit, the values in the statement, one row."""
FULL_SCANS = {
    ("groups.py", "load"): {
        "SCAN groups": "the start reads the settings of all groups, at most 1000",
        "SCAN queue": "one row",
    },
    ("groups.py", "set_paused"): {"SCAN queue": "one row"},
    ("maintenance.py", "counts"): {
        "SCAN jobs USING COVERING INDEX jobs_by_time": "a scrape of the metrics counts the entries of an index",
        "SCAN jobs USING INDEX jobs_live": "a scrape counts the jobs that are not cleaned up",
        "SCAN deliveries USING INDEX deliveries_pending": "a scrape counts the pending deliveries",
        "SCAN deliveries USING INDEX deliveries_parked": "a scrape counts the parked deliveries",
    },
    ("outbox.py", "_behind"): {"SCAN k": "the rows of the inner query, at most as many as its LIMIT"},
    ("observed_time.py", "load"): {"SCAN deliveries": "the start reads one row, the last one"},
}
"""Function, plan, reason. A scan of a partial index reads the few rows that are in it."""


class Recording(sqlite3.Connection):
    """Keeps each statement with the place in the code that has executed it."""

    seen: dict[tuple[str, int], dict[str, Any]]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._keep(sql, parameters)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        rows = list(parameters)
        if rows:
            self._keep(sql, rows[0])
        return super().executemany(sql, rows)

    def _keep(self, sql: str, parameters: Any) -> None:
        caller = sys._getframe(2)
        self.seen.setdefault((caller.f_code.co_filename, caller.f_lineno), {})[sql] = parameters

    def plan(self, sql: str, parameters: Any) -> list[str]:
        return [row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def calls() -> Iterator[tuple[Path, str, int, int]]:
    """Each call of `execute` and `executemany` but pragmas: file, function, first and last line."""
    for path in sorted([*STORE.glob("tables/**/*.py"), *STORE.glob("stores/*.py")]):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr in ("execute", "executemany") and "PRAGMA" not in ast.unparse(node.args[0]):
                    yield path, function.name, node.lineno, node.end_lineno or node.lineno


@pytest.fixture
def seen(path: Path, make: Make) -> Iterator[Recording]:
    database.prepare(path).close()
    with closing(sqlite3.connect(path, factory=Recording, isolation_level=None)) as connection:
        assert isinstance(connection, Recording)
        connection.seen = {}
        connection.execute("PRAGMA foreign_keys = ON")
        job_changes.watch(connection, lambda _: None)
        use_jobs(connection, make)
        use_sets(connection, make)
        use_ends(connection, make)
        use_lists(connection)
        use_outbox(connection, make)
        use_maintenance(connection)
        use_groups(connection)
        yield connection


def use_jobs(connection: Recording, make: Make) -> None:
    chunk = LogChunk(1, 1, 1, b"x")
    for n in range(1, 6):
        claim = make.claim(f"u{n}", events=2, port=1, labels={"a": "b"})
        transitions.commit(connection, claim, 1)
    with suppress(IdTaken):
        jobs.insert(connection, make.job("u1"), 1)
    changed = Transition(make.next("u1"), (make.event(event_id="e1"),), (chunk,))
    transitions.commit(connection, changed, 1)
    for stale, error in ((make.job("u1", version=9), StaleJob), (make.job("u9"), NoSuchJob)):
        with pytest.raises(error):
            jobs.update(connection, stale, 1)
    jobs.by_id(connection, "job-1")
    jobs.by_id(connection, "none")
    jobs.by_uid(connection, "u1")
    jobs.exists(connection, "u1")
    jobs.liveness(connection, ["u1"])
    jobs.live(connection, 0, 1)
    jobs.ended_live(connection, 1, (-1, 0), 9, 1)
    jobs.is_damaged(connection, "u1", "job-1")
    jobs.hide(connection, "none")
    events.after(connection, 0, None, 9, 9)
    events.after(connection, 0, "u1", 9, 9)
    events.last_seq(connection)
    logs.chunks(connection, "u1", 0, 9)
    logs.stats(connection, "u1")


def use_sets(connection: Recording, make: Make) -> None:
    for n in range(7, 9):
        transitions.commit(connection, make.claim(f"u{n}", set_name="s", waiting=n == 7), 1)
    for damaged in ((), (7,)):
        sets.load(connection, "s", damaged)
    sets.page(connection, None, 9, ())
    sets.active(connection, "s")


def use_ends(connection: Recording, make: Make) -> None:
    ending = Ending(reason=None, image="a", group="default", spent=(1, None, None, 2, None))
    claim = make.claim("u10", status="completed", finished_at=START, ending=ending, labels={"a": "b"})
    transitions.commit(connection, claim, 1)
    for by in ("", "image", "group", "label", "label:a"):
        ends.page(connection, lambda _: True, by, START, ends.NEWEST, 9)
    ends.oldest(connection, None)


def use_lists(connection: Recording) -> None:
    filters: dict[str, Any] = {
        "statuses": frozenset({"running", "failed", listing.UNREADABLE}),
        "labels": {"a": "b", "c": "d"},
        "owner": "me",
        "since": START,
        "prefix": "j",
        "set_name": "s",
    }
    none: dict[str, Any] = {
        "statuses": None,
        "labels": {},
        "owner": None,
        "since": None,
        "prefix": "",
        "set_name": None,
    }
    chosen = [none, filters, none | {"statuses": frozenset({listing.UNREADABLE})}]
    chosen += [none | {name: value} for name, value in filters.items()]
    with pytest.MonkeyPatch.context() as patched:
        for few in (listing.FEW_ROWS, -1):  # by an index of a filter, and as a walk
            patched.setattr(listing, "FEW_ROWS", few)
            for one in chosen:
                for cursor in (None, "3"):
                    listing.page(connection, **one, cursor=cursor, limit=9, max_bytes=9, known_damaged={1})
    listing.damaged_rows(connection, 0, 9)
    listing.highest_number(connection, "job-", 9)


def use_outbox(connection: Recording, make: Make) -> None:
    host = make.callback().destination
    ids = [row[0] for row in sqlite3.Connection.execute(connection, "SELECT id FROM deliveries ORDER BY id")]
    outbox.destinations(connection, "", 9)
    outbox.due(connection, host, 9, ahead=1)
    outbox.due_of(connection, ["u1"], ahead=1)
    outbox.run(connection, ids[0], 9, 9)
    outbox.body(connection, ids[0])
    outbox.deliveries(connection, "u1", 0, 9)
    outbox.expired_jobs(connection, host, 9, 9, 9)
    at = START + timedelta(seconds=1)
    outcomes: tuple[Outcome, ...] = ("delivered", "retry", "requeue", "park", "abandon")
    settled = [Settlement(one, outcome, at) for one, outcome in zip(ids[::2], outcomes, strict=False)]
    settling.settle(connection, settled, 1)
    settling.settle(connection, [Settlement(one.delivery_id, "delivered", at) for one in settled], 1)
    settling.expire(connection, ["u2"], 9, 9, at, "old", 9, 9)
    settling.replay(connection, ids[0], at, 1)
    settling.replay_all(connection, "u1", at, 1)


def use_maintenance(connection: Recording) -> None:
    clock = FakeClock()
    observed_time.save(connection, observed_time.load(connection, clock).now_ms(), clock)
    maintenance.counts(connection)
    maintenance.size_bytes(connection)
    with suppress(DeliveriesPending):
        maintenance.mark_for_removal(connection, "u1")
    sqlite3.Connection.execute(connection, "UPDATE deliveries SET state = 'delivered', due_at = NULL")
    maintenance.mark_for_removal(connection, "u1")
    jobs.discard(connection, 2)
    maintenance.expire(connection, 1, 9)
    jobs.hide_rows(connection, [3])
    jobs.discard(connection, 6)
    maintenance.remove_hidden(connection, 1 << 20)
    maintenance.vacuum_step(connection)


def use_groups(connection: Recording) -> None:
    groups.put(connection, GroupRow("gpu", 1, False))
    groups.set_paused(connection, True, freezes=True)
    groups.load(connection)
    groups.remove(connection, "gpu")


def scans(plan: list[str]) -> list[str]:
    return [step for step in plan if step.startswith("SCAN ") and not SMALL.match(step)]


def test_every_statement_of_the_code_was_executed(seen: Recording) -> None:
    missing = [
        f"{path.name}:{first} {function}"
        for path, function, first, last in calls()
        if not any(file == str(path) and first <= line <= last for file, line in seen.seen)
    ]
    assert missing == [], "this test must execute these statements, so that it sees their plans"


def test_no_statement_reads_a_whole_table(seen: Recording) -> None:
    found = {}
    for path, function, first, last in calls():
        for (file, line), statements in seen.seen.items():
            if file != str(path) or not first <= line <= last:
                continue
            for sql, parameters in statements.items():
                for step in scans(seen.plan(sql, parameters)):
                    if step not in FULL_SCANS.get((path.name, function), {}):
                        found[f"{path.name}:{first} {function}"] = (step, sql)
    assert found == {}, "a new index helps, or a row of FULL_SCANS with its reason"


def test_no_page_of_a_list_is_sorted(seen: Recording) -> None:
    sorting = {
        sql: step
        for (file, _), statements in seen.seen.items()
        if file.endswith(("listing.py", "jobs.py", "events.py", "logs.py"))
        for sql, parameters in statements.items()
        for step in seen.plan(sql, parameters)
        if "TEMP B-TREE" in step
    }
    assert sorting == {}


def test_a_removal_finds_the_rows_of_a_job_by_an_index(seen: Recording) -> None:
    run = super(Recording, seen).execute
    tables = [row[0] for row in run("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        keys = {row[3] for row in run(f"PRAGMA foreign_key_list({table})")}
        columns = run(f"PRAGMA table_info({table})").fetchall()
        indexed = {row[1] for row in columns if row[5] == 1}  # the first column of the primary key
        for index in run(f"PRAGMA index_list({table})").fetchall():
            if not index[4]:  # not a partial one
                indexed.add(run(f"PRAGMA index_info({index[1]})").fetchone()[2])
        assert keys <= indexed, f"the removal of a job reads all of {table}"


def test_no_statistics_change_the_plans(seen: Recording) -> None:
    run = super(Recording, seen).execute
    assert run("SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchone()[0] == 0
