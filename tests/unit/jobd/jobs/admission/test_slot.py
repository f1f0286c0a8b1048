"""A job's place follows the job's record: waiting, running, waiting for the next attempt, ended."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jobd.jobs.admission.slot import Slot
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record
from jobd.jobs.record.scheduling import Awaited, Scheduling
from tests.support.admission import open_queue

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def record(uid: str = "a", **fields: Any) -> Record:
    """A record with these fields, as the first stored form names them."""
    return decode_record(msgspec.json.encode({"uid": uid, "id": uid, "created_at": NOW, **fields}))


def test_a_new_job_queues_and_an_admitted_one_keeps_its_place_over_the_limit() -> None:
    queue = open_queue(1)
    for uid, phase in (("a", "running"), ("b", "inputs"), ("c", "queued")):
        now = record(uid, phase=phase)
        Slot(queue, now).take(now)
    assert (queue.running, queue.position("c")) == (2, 1)


@pytest.mark.parametrize("fields", [{"retry_at": NOW}, {"phase": "done", "status": "failed"}])
def test_a_job_that_waits_for_its_next_attempt_or_has_ended_takes_no_place(fields: dict[str, Any]) -> None:
    queue = open_queue(1)
    now = record(**fields)
    Slot(queue, now).take(now)
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_place_is_held_through_an_attempt_and_released_for_the_next() -> None:
    queue = open_queue(1)
    first = record()
    place = Slot(queue, first)
    place.take(first)
    place.enter(first)
    await place.changed()
    for phase in ("pulling", "inputs", "running", "outputs"):
        place.follow(record(phase=phase))
        assert queue.running == 1
    second = record(attempt=2, retry_at=NOW)
    place.follow(second)
    assert (queue.running, queue.waiting) == (0, 0)
    place.enter(second)
    await place.changed()
    place.follow(record(attempt=2, phase="pulling"))
    assert queue.running == 1
    place.leave()
    place.leave()
    assert queue.running == 0


async def test_an_attempt_whose_start_was_not_observed_keeps_its_place() -> None:
    queue = open_queue(1)
    place = Slot(queue, record())
    place.enter(record(attempt=2))
    await place.changed()
    place.follow(record(attempt=2, phase="pulling"))
    assert queue.running == 1


async def test_the_end_of_a_job_releases_its_place_and_is_told_to_the_jobs_behind_it() -> None:
    queue = open_queue(1)
    place = Slot(queue, record())
    place.enter(record())
    behind = Slot(queue, record("b"))
    behind.enter(record("b").change(scheduling=Scheduling(after=[Awaited(uid="a", id="a")])))
    for _ in range(2):
        place.end(record(phase="done", status="completed"))
        assert (queue.running, behind.news) == (0, ("a", "completed"))
