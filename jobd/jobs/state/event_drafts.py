"""An event before it has an id, a number and a time: what a change of a job tells its receiver. Pure."""

from dataclasses import dataclass
from typing import Any

from jobd.jobs.state.record import Record
from jobd.wire.artifact import kind_of
from jobd.wire.job import JobSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be: its type and data, before it has an id, a time and a sequence number.

    `key`: what makes its id unique within the job, where it must be the same whoever sends it; else its number does.
    `sent`: the sidecar has delivered it; it is kept for the feed alone.
    """

    type: str
    data: dict[str, Any]
    key: str | None = None
    sent: bool = False


def data_of(record: Record, spec: JobSpec, **more: Any) -> dict[str, Any]:
    """Returns an event's data: the job's id, what is known of `more`, the job's meta."""
    return {"jobId": record.id, **{k: v for k, v in more.items() if v is not None}, "meta": spec.meta}


def event_exit_code(code: int | None) -> int:
    """Returns an exit code as events tell it: the engine's, or -1 where there is none (the worker never ran, or its code is lost)."""
    return -1 if code is None else code


def artifact_type(spec: JobSpec, artifact_id: str) -> str | None:
    """Returns the type of the spec's artifact, or None where there is none of that id."""
    return next((kind_of(a) for a in spec.artifacts if a.id == artifact_id), None)
