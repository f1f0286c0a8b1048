"""An event of a job's change, before the event has an id, a number and a time. Pure."""

from dataclasses import dataclass
from typing import Any

from jobd.jobs.record.record import Record
from jobd.wire.artifact import kind_of
from jobd.wire.job import JobSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """An event's type and data, without its id, time and sequence number.

    `key`: makes the event's id unique within the job and equal for jobd and the sidecar; without a key, the number does.
    `sent`: the sidecar has delivered the event; jobd keeps the event for the feed alone.
    """

    type: str
    data: dict[str, Any]
    key: str | None = None
    sent: bool = False


def data_of(record: Record, spec: JobSpec, **more: Any) -> dict[str, Any]:
    """Returns an event's data: the job's id, the known values of `more`, the job's meta."""
    return {"jobId": record.id, **{k: v for k, v in more.items() if v is not None}, "meta": spec.meta}


def event_exit_code(code: int | None) -> int:
    """Returns the exit code for events: the engine's, or -1 if there is none (the worker never ran, or its code is lost)."""
    return -1 if code is None else code


def artifact_type(spec: JobSpec, artifact_id: str) -> str | None:
    """Returns the type of the spec's artifact, or None if no artifact has that id."""
    return next((kind_of(a) for a in spec.artifacts if a.id == artifact_id), None)
