"""Spans of jobs: what a stored change and a delivery say of a trace. Pure.

A job is one span, with a child for each phase and each delivery request. The job's span exists from its end on, while its children end before
that and also before a restart: the ids of trace and job come from the job's uid. A job with a trace of its own (`traceparent`) is a part of that.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import msgspec

from jobd.jobs.record.record import Record
from jobd.wire.job import JobSpec
from jobd.wire.views.job import Phase

SAMPLED = 1
PHASES: tuple[Phase, ...] = ("queued", "pulling", "inputs", "running", "outputs")
"""In the order in which an attempt passes them."""
MAX_TEXT = 256
"""The longest text of an attribute, in characters."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Parent:
    """The span that a span belongs to. `flags` None: nothing has decided yet whether the trace is recorded."""

    trace_id: int
    span_id: int
    flags: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended. Times are nanoseconds since 1970. `span_id` None: any. `root`: the span begins the trace of its parent's
    `trace_id`. `error`: why what the span describes has failed.
    """

    name: str
    parent: Parent
    start_ns: int
    end_ns: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    error: str | None = None
    span_id: int | None = None
    root: bool = False
    is_client: bool = False


class Head(msgspec.Struct, frozen=True):
    """What a delivery's span needs of an event."""

    id: str
    type: str
    subject: str
    jobuid: str
    traceparent: str | None = None


_head_decoder = msgspec.json.Decoder(Head)
_heads_decoder = msgspec.json.Decoder(list[Head])


def phase_spans(before: Record, after: Record) -> list[Span]:
    """Returns the spans of the phases that the job has left, in order: one change may leave several."""
    if after.attempt.number > before.attempt.number and after.earlier:
        error: str | None = after.earlier[-1].reason
    else:
        error = after.reason if after.ended and after.status == "failed" else None
    parent = of_job(after.uid, after.trace.parent if after.trace else None)
    start, spans = _ns(before.state.since), []
    for phase in PHASES:
        # A phase that took no time was left too.
        if phase not in after.spent or after.spent[phase] == before.spent.get(phase):
            continue
        end = start + (after.spent[phase] - before.spent.get(phase, 0)) * 1000
        attributes = {**_who(after.id, after.uid), "job.phase": phase, "job.attempt": before.attempt.number}
        spans.append(Span(f"job {phase}", parent, start, end, attributes))
        start = end
    if error is not None and spans:
        spans[-1] = replace(spans[-1], error=error)
    return spans


def job_span(record: Record, spec: JobSpec) -> Span:
    """Returns the span of an ended job."""
    attributes: dict[str, Attribute] = {
        **_who(record.id, record.uid),
        "job.status": record.status,
        "job.group": record.scheduling.group,
        "job.attempts": record.attempt.number,
        "container.image.name": _short(record.image or spec.image),
    }
    if record.reason is not None:
        attributes["job.reason"] = record.reason
    if record.exit_code is not None:
        attributes["job.exit_code"] = record.exit_code
    known = record.trace.parent if record.trace else None
    start = _ns(record.created_at)
    return Span(
        name="job",
        parent=trace_of(record.uid, known),
        start_ns=start,
        end_ns=max(start, _ns(record.finished_at or record.created_at)),
        attributes=attributes,
        error=record.reason if record.status == "failed" else None,
        span_id=_job_span_id(record.uid),
        root=known is None,
    )


def delivery_span(
    body: bytes,
    is_batch: bool,
    url: str,
    ended_ns: int,
    seconds: float,
    status: int | None,
    error: str | None,
) -> Span:
    """Returns the span of one request that delivers an event, or a batch of events of one job. Of the URL only the
    host is in the span: the rest may hold a secret. Raises ValueError: the body is no event.
    """
    heads = _heads_decoder.decode(body) if is_batch else [_head_decoder.decode(body)]
    first = heads[0]
    attributes: dict[str, Attribute] = {
        **_who(first.subject, first.jobuid),
        "event.id": first.id,
        "event.type": first.type,
        "event.count": len(heads),
        "server.address": _short(urlsplit(url).hostname or ""),
    }
    if status is not None:
        attributes["http.response.status_code"] = status
    return Span(
        name="job delivery",
        parent=of_job(first.jobuid, first.traceparent),
        start_ns=ended_ns - int(seconds * 1e9),
        end_ns=ended_ns,
        attributes=attributes,
        error=error,
        is_client=True,
    )


def trace_of(uid: str, traceparent: str | None) -> Parent:
    """Returns the span that the job's own span belongs to: that of the submission, or none in a new trace."""
    if traceparent is None:
        return Parent(trace_id=int.from_bytes(_digest(uid)[:16]) or 1, span_id=0)
    _, trace, span, flags = traceparent.split("-")
    return Parent(trace_id=int(trace, 16), span_id=int(span, 16), flags=int(flags, 16) & SAMPLED)


def of_job(uid: str, traceparent: str | None) -> Parent:
    """Returns the job's own span as a parent."""
    trace = trace_of(uid, traceparent)
    return Parent(trace_id=trace.trace_id, span_id=_job_span_id(uid), flags=trace.flags)


def _job_span_id(uid: str) -> int:
    return int.from_bytes(_digest(uid)[16:24]) or 1


def _digest(uid: str) -> bytes:
    return sha256(uid.encode()).digest()


def _who(job_id: str, uid: str) -> dict[str, Attribute]:
    return {"job.id": _short(job_id), "job.uid": uid}


def _short(text: str) -> str:
    return text[:MAX_TEXT]


def _ns(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000
