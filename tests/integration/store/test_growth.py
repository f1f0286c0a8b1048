"""What a job and a round of maintenance cost in the database does not grow with the number of kept jobs."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobd.store.sqlite import database
from jobd.store.tables import events, logs, maintenance, outbox, settling, transitions
from jobd.store.tables.delivery_rows import Settlement
from jobd.store.tables.jobs import jobs
from jobd.store.tables.rows import LogChunk, Transition
from tests.integration.store.conftest import START, Make

Work = Callable[[sqlite3.Connection, Make, int], Any]
ENDED: dict[str, Any] = {"live": False, "holds_id": False, "finished_at": START, "status": "completed"}


def a_job(connection: sqlite3.Connection, make: Make, n: int) -> None:
    """The commits of one short job with a callback, and its deliveries."""
    uid = f"x{n}"
    transitions.commit(connection, make.claim(uid, id=uid, events=1, port=1, labels={"a": "b"}), n)
    for version, fields in enumerate([{"status": "running"}, {}, ENDED], start=1):
        row = make.job(uid, id=uid, version=version, **fields)
        line = LogChunk(version, version, 1, b"x")
        transitions.commit(connection, Transition(row, (make.event(),), (line,)), n)
    while due := outbox.due_of(connection, [uid]):
        at = START + timedelta(seconds=1)
        settling.settle(connection, [Settlement(due[0].id, "delivered", at)], n)


def a_round(connection: sqlite3.Connection, make: Make, n: int) -> None:
    """A round of maintenance with nothing to do."""
    jobs.ended_live(connection, -1, (-1, 0), 200, 1 << 20)
    maintenance.expire(connection, -1, 200)
    maintenance.remove_hidden(connection, 1 << 20)
    maintenance.vacuum_step(connection)


def reads(connection: sqlite3.Connection, make: Make, n: int) -> None:
    """Reads of one job."""
    jobs.by_id(connection, "job-7")
    jobs.by_uid(connection, "u7")
    jobs.liveness(connection, ["u7", "none"])
    events.after(connection, 0, "u7", 100, 1 << 20)
    events.after(connection, events.last_seq(connection) - 3, None, 100, 1 << 20)
    logs.chunks(connection, "u7", 0, 1 << 20)
    logs.stats(connection, "u7")
    outbox.deliveries(connection, "u7", 0, 100)


def a_removal(connection: sqlite3.Connection, make: Make, n: int) -> None:
    """The removal of one job."""
    maintenance.mark_for_removal(connection, f"u{n}")
    maintenance.remove_hidden(connection, 1 << 20)


def a_start(connection: sqlite3.Connection, make: Make, n: int) -> None:
    """What a start of jobd reads to continue the jobs that have not ended."""
    jobs.live(connection, 0, 1 << 20)


@pytest.fixture
def keep(path: Path, make: Make) -> Iterator[Callable[[int], sqlite3.Connection]]:
    database.prepare(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        kept = [0]

        def fill(count: int) -> sqlite3.Connection:
            connection.execute("BEGIN")
            for n in range(kept[0], count):
                row = make.claim(f"u{n}", events=2, labels={"a": "b"}, **ENDED)
                transitions.commit(
                    connection, Transition(row.job, row.events, (LogChunk(1, 1, 1, b"x"),), claim_id=True), 1
                )
            connection.execute("COMMIT")
            kept[0] = count
            return connection

        yield fill


def cost(connection: sqlite3.Connection, make: Make, work: Work, n: int) -> int:
    """Counts instructions of SQLite's virtual machine, in tens."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(count, 10)
    work(connection, make, n)
    connection.set_progress_handler(None, 0)
    return steps[0]


@pytest.mark.parametrize("work", [a_job, a_round, reads, a_removal, a_start])
def test_work_costs_the_same_however_many_jobs_are_kept(
    keep: Callable[[int], sqlite3.Connection], make: Make, work: Work
) -> None:
    few = cost(keep(50), make, work, 11)
    many = cost(keep(2000), make, work, 12)
    assert many <= few * 1.3 + 10


def test_deleted_jobs_with_pending_deliveries_are_passed_once_and_not_for_each_removed_job(
    keep: Callable[[int], sqlite3.Connection], make: Make
) -> None:
    connection = keep(0)
    for n in range(1, 301):
        transitions.commit(connection, make.claim(f"x{n}", events=1, port=1), 1)
        jobs.discard(connection, n)
    keep(20)

    def remove(count: int) -> Work:
        def work(connection: sqlite3.Connection, make: Make, n: int) -> None:
            for number in range(n, n + count):
                jobs.discard(connection, number)
            assert maintenance.remove_hidden(connection, 1 << 20) == (count, False)

        return work

    assert cost(connection, make, remove(10), 305) < 3 * cost(connection, make, remove(1), 301)
