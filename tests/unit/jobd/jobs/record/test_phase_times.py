"""A record keeps for how long the job was in each phase, over its attempts and whatever the clock does."""

from datetime import timedelta

import pytest

from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record, encode_record
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import START

S = 1_000_000


@pytest.fixture
def spec() -> JobSpec:
    return JobSpec(id="a", image="b", retries=1)


@pytest.fixture
def record(spec: JobSpec) -> Record:
    return new_record(spec, now=START, owner=None, digest="d", has_spool=False, boot="boot")


def after(record: Record, spec: JobSpec, *told: tuple[float, facts.Fact]) -> Record:
    for seconds, fact in told:
        record = step(record, spec, fact, START + timedelta(seconds=seconds)).record
        record = decode_record(encode_record(record))
    return record


PULL_FAILED = facts.SetupFailed("engine-error", "no")


def test_each_phase_that_a_job_leaves_is_timed(record: Record, spec: JobSpec) -> None:
    assert record.spent == {}
    admitted = after(record, spec, (2, facts.Admitted()))
    assert admitted.spent == {"queued": 2 * S}
    assert after(admitted, spec, (3, facts.TimePassed())).spent == admitted.spent


def test_a_repeated_attempt_adds_to_the_phases(record: Record, spec: JobSpec) -> None:
    again = after(record, spec, (2, facts.Admitted()), (5, PULL_FAILED))
    assert (again.phase, again.spent) == ("queued", {"queued": 2 * S, "pulling": 3 * S})
    ended = after(again, spec, (6, facts.Cleaned()), (9, facts.Admitted()), (10, PULL_FAILED))
    assert (ended.ended, ended.spent) == (True, {"queued": 6 * S, "pulling": 4 * S})


def test_a_clock_that_was_set_back_makes_no_negative_time(record: Record, spec: JobSpec) -> None:
    assert after(record, spec, (-5, facts.Admitted())).spent == {"queued": 0}


def test_a_step_of_the_clock_does_not_count(record: Record, spec: JobSpec) -> None:
    moved = after(record, spec, (2, facts.ClockMoved("boot", 3600)), (3603, facts.Admitted()))
    assert moved.spent == {"queued": 3 * S}
