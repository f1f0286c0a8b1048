"""What the commands of events and deliveries print."""

from typing import Any

from scripts.manual.outputs.shape import Shape


class CloudEvent(Shape, kw_only=True):
    """A CloudEvent 1.0, as sent to a callback; docs/events.md describes its data."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    jobsequence: int | None = None
    jobuid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class EventLine(Shape, kw_only=True):
    """An event with its number in the event stream."""

    seq: int
    event: CloudEvent


class Received(Shape, kw_only=True):
    """A received event. `verified` is null without a key; `again`: the event was received before."""

    received_at: str
    path: str
    verified: bool | None
    again: bool
    event: CloudEvent
    reason: str | None = None


class Replayed(Shape, kw_only=True):
    """The number of deliveries that jobd sends again: those in `deliveries`, or all given-up ones of the job `id`."""

    replayed: int
    deliveries: list[int] | None = None
    id: str | None = None


class Proof(Shape, kw_only=True):
    """One signature. `key`: the number of its key."""

    header: str
    holds: bool
    said: str
    key: int | str | None = None


class Verified(Shape, kw_only=True):
    """Whether the signatures of a body are valid."""

    verified: bool
    checks: list[Proof]
    reason: str | None = None
