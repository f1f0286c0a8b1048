"""The CloudEvents 1.0 of a job: types, sources and encoding.

Owns the envelope in structured mode. Pure. jobd stores, signs and sends the encoded bytes unchanged, so that a signature still
verifies after a restart.

Source: CloudEvents 1.0.2 core and HTTP protocol binding; docs/events.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

START = "orchestrator.job.start"
LOG = "orchestrator.job.log"
EXIT = "orchestrator.job.exit"
RETRY = "orchestrator.job.retry"
ARTIFACT = "orchestrator.job.artifact"
COMPLETE = "orchestrator.job.complete"

SOURCE_SERVICE = "orchestrator/service"
SOURCE_SIDECAR = "orchestrator/sidecar"

SOURCES: dict[str, str] = {
    START: SOURCE_SERVICE,
    LOG: SOURCE_SERVICE,
    EXIT: SOURCE_SERVICE,
    RETRY: SOURCE_SERVICE,
    ARTIFACT: SOURCE_SIDECAR,
    COMPLETE: SOURCE_SERVICE,
}
"""Event type -> source. `callback.events` may name these types."""

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"

_HEADERS = (
    "Content-Type", "Ce-Specversion", "Ce-Id", "Ce-Type", "Ce-Source", "Ce-Subject", "Ce-Time", "Ce-Jobuid", "Ce-Jobsequence",
)  # fmt: skip
_LINES = {count: "".join(f"{name}: %s\r\n" for name in _HEADERS[:count]) for count in (8, 9)}
_TRACE_HEADERS = ("Ce-Traceparent", "Ce-Tracestate")

_encoder = msgspec.json.Encoder(decimal_format="string")


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event on the wire. `jobsequence` numbers the events that pass the job's filter, from 1 without gaps; `jobuid`
    distinguishes two jobs that have used the same id. `traceparent`, `tracestate`: the trace that the job's submission is a part of
    (CloudEvents extension Distributed Tracing).
    """

    specversion: str
    id: str
    type: str
    source: str
    subject: str
    time: str
    datacontenttype: str
    jobuid: str
    data: msgspec.Raw
    jobsequence: int | None = None
    traceparent: str | None = None
    tracestate: str | None = None


_decoder = msgspec.json.Decoder(CloudEvent)


def rfc3339(time: datetime) -> str:
    """Returns an aware UTC time as RFC 3339 with microseconds and `Z`."""
    return time.isoformat(timespec="microseconds")[:26] + "Z"  # the first 26 characters: without the offset


def encode(
    *,
    event_id: str,
    type: str,
    job_id: str,
    job_uid: str,
    timestamp: datetime,
    sequence: int | None,
    data: Mapping[str, Any],
    trace: tuple[str | None, str | None] = (None, None),
) -> bytes:
    """Returns the structured-mode body of one event. `trace`: its `traceparent` and `tracestate`.

    Raises:
        KeyError: the type is not in `SOURCES`.
    """
    return _encoder.encode(
        CloudEvent(
            specversion="1.0",
            id=event_id,
            type=type,
            source=SOURCES[type],
            subject=job_id,
            time=rfc3339(timestamp),
            datacontenttype="application/json",
            jobuid=job_uid,
            jobsequence=sequence,
            data=msgspec.Raw(_encoder.encode(data)),
            traceparent=trace[0],
            tracestate=trace[1],
        )
    )


def binding_headers(body: bytes) -> dict[str, str]:
    """Returns the content type and the `Ce-*` headers that repeat the body's attributes.

    Values are percent-encoded where HTTP headers need that (CloudEvents HTTP binding, 3.1.3.2).

    Raises:
        msgspec.DecodeError: the body is no event of `encode`.
    """
    event = _decoder.decode(body)
    # An event may have no sequence and no trace.
    return dict(zip(_HEADERS, _binding_values(event), strict=False)) | dict(_trace_headers(event))


def binding_lines(body: bytes) -> str:
    """Returns `binding_headers` as lines of a request, each with its line end.

    Raises:
        msgspec.DecodeError: the body is no event of `encode`.
    """
    event = _decoder.decode(body)
    values = _binding_values(event)
    lines = _LINES[len(values)] % values
    if event.traceparent is None:
        return lines
    return lines + "".join(f"{name}: {value}\r\n" for name, value in _trace_headers(event))


def _trace_headers(event: CloudEvent) -> Iterator[tuple[str, str]]:
    for name, value in zip(_TRACE_HEADERS, (event.traceparent, event.tracestate), strict=True):
        if value is not None:
            yield name, _header_value(value)


def _binding_values(event: CloudEvent) -> tuple[str, ...]:
    attributes = (
        event.specversion,
        event.id,
        event.type,
        event.source,
        event.subject,
        event.time,
        event.jobuid,
    )
    values: tuple[str, ...] = (CONTENT_TYPE, *attributes)
    if event.jobsequence is not None:
        values = (*values, str(event.jobsequence))
    # One check for all values of an ordinary event: this is a part of every delivery.
    return values if _is_plain("".join(values)) else tuple(map(_header_value, values))


def batch_body(bodies: Sequence[bytes]) -> bytes:
    """Returns the batched-mode body: an array of the stored bodies, byte for byte.

    Source: CloudEvents 1.0.2, JSON event format, 4 (JSON batch format), and HTTP binding, 3.3.
    """
    return b"[" + b",".join(bodies) + b"]"


def _is_plain(value: str) -> bool:
    """True if the value has only visible ASCII, without quotation marks and percent signs."""
    visible = value.isascii() and value.isprintable() and " " not in value
    return visible and '"' not in value and "%" not in value


def _header_value(value: str) -> str:
    if _is_plain(value):
        return value
    keep = []
    for char in value:
        if "\x21" <= char <= "\x7e" and char not in '"%':
            keep.append(char)
        else:
            keep.extend(f"%{byte:02X}" for byte in char.encode())
    return "".join(keep)
