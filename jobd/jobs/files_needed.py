"""For how long the files of an ended job are asked for: an engine that keeps a container for them wants to know."""

from datetime import datetime

from jobd.jobs.record.record import Record
from jobd.jobs.workspace_holds import WorkspaceHolds

FETCH_S = 20.0
"""A client fetches declared outputs at once; it may have to reconnect."""
HELD_S = 3600.0
"""Asked again before that: a job that takes the files may wait for a place."""


def files_needed(record: Record, holds: WorkspaceHolds, now: datetime) -> float:
    """Returns seconds, 0 if nobody asks for the files; see `port.protocols.RunRelease`."""
    if record.is_deleted or record.removal is not None:
        return 0.0
    if holds.readers(record.uid):
        return HELD_S
    unfetched = any(output.status in ("pending", "present") for output in record.outputs.values())
    if not unfetched or record.finished_at is None:
        return 0.0
    return max(0.0, FETCH_S - (now - record.finished_at).total_seconds())
