"""The spans of a job: their ids, times, parents and errors."""

from datetime import timedelta

import msgspec
import pytest

from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Trace
from jobd.jobs.record.record import Record
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.metrics.spans import delivery_span, job_span, of_job, phase_spans
from jobd.wire import event
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import START

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
SPEC = JobSpec(id="a", image="b", retries=1)
START_NS = int(START.timestamp()) * 10**9
CANCEL = facts.CancelRequested(by="me", grace_s=None, delete=False)
FAILED = facts.SetupFailed("engine-error", "no")


def record(trace: str | None = None) -> Record:
    told = None if trace is None else Trace(parent=trace)
    return new_record(SPEC, now=START, owner=None, digest="d", has_spool=False, trace=told)


def told(before: Record, *given: tuple[float, facts.Fact]) -> Record:
    for seconds, fact in given:
        before = step(before, SPEC, fact, START + timedelta(seconds=seconds)).record
    return before


def test_a_phase_that_is_left_is_a_span() -> None:
    before = record()
    assert phase_spans(before, before) == []
    (span,) = phase_spans(before, told(before, (2, facts.Admitted())))
    assert (span.name, span.start_ns, span.end_ns - span.start_ns) == ("job queued", START_NS, 2 * 10**9)
    assert (span.attributes["job.phase"], span.attributes["job.attempt"], span.error) == ("queued", 1, None)


def test_one_change_may_leave_several_phases() -> None:
    before = record()
    after = told(before, (2, facts.Admitted()), (5, FAILED))
    queued, pulling = phase_spans(before, after)
    assert (queued.end_ns, pulling.start_ns) == (START_NS + 2 * 10**9,) * 2
    assert pulling.end_ns == START_NS + 5 * 10**9
    assert (queued.error, pulling.error) == (None, "engine-error"), "another attempt follows"


def test_the_last_phase_of_a_failed_job_and_the_job_have_the_reason() -> None:
    last = told(record(), (2, facts.Admitted()), (5, FAILED), (6, facts.Cleaned()), (9, facts.Admitted()))
    ended = told(last, (10, FAILED))
    (pulling,) = phase_spans(last, ended)
    assert (pulling.error, pulling.attributes["job.attempt"]) == ("engine-error", 2)
    job = job_span(ended, SPEC)
    assert (job.error, job.attributes["job.status"], job.attributes["job.attempts"]) == (
        "engine-error",
        "failed",
        2,
    )
    assert job.end_ns - job.start_ns == 10 * 10**9


def test_a_job_of_a_trace_is_a_child_of_the_submission() -> None:
    ended = told(record(PARENT), (2, facts.Admitted()), (5, CANCEL))
    job = job_span(ended, SPEC)
    assert (f"{job.parent.trace_id:032x}", f"{job.parent.span_id:016x}") == (TRACE, "00f067aa0ba902b7")
    assert (job.root, job.parent.flags, job.error) == (False, 1, None)
    assert of_job(ended.uid, PARENT).span_id == job.span_id
    assert of_job(ended.uid, PARENT[:-2] + "fe").flags == 0, "the submission is not sampled"


def test_a_job_without_a_trace_begins_one_whose_ids_never_change() -> None:
    ended = told(record(), (2, facts.Admitted()), (5, CANCEL))
    job = job_span(ended, SPEC)
    assert (job.root, job.parent.span_id, job.parent.flags) == (True, 0, None)
    parent = of_job(ended.uid, None)
    assert (parent.trace_id, parent.span_id) == (job.parent.trace_id, job.span_id)
    assert of_job("other", None) != parent


@pytest.mark.parametrize("trace", [None, PARENT])
@pytest.mark.parametrize("is_batch", [False, True])
def test_a_delivery_is_a_child_of_its_job(trace: str | None, is_batch: bool) -> None:
    body = event.encode(
        event_id="u1-1",
        type=event.EXIT,
        job_id="a",
        job_uid="u1",
        timestamp=START,
        sequence=1,
        data={},
        trace=(trace, None),
    )
    sent = event.batch_body([body, body]) if is_batch else body
    span = delivery_span(sent, is_batch, "http://host/x", START_NS, 0.5, 503, "status 503")
    assert span.parent == of_job("u1", trace)
    assert (span.end_ns - span.start_ns, span.error, span.is_client) == (5 * 10**8, "status 503", True)
    assert span.attributes["event.count"] == (2 if is_batch else 1)
    assert span.attributes["http.response.status_code"] == 503
    with pytest.raises(msgspec.DecodeError):
        delivery_span(b"{", False, "http://host/x", START_NS, 0.5, None, "network")
