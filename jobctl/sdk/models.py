"""What the client yields: lines of a log, and events."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from jobctl.connection.log_frames import Frame
from jobctl.units import parse_time
from jobd.wire.views.job import Status

JobStatus = Status | Literal["unreadable"]
"""`unreadable`: the daemon's record of the job is damaged; the job can only be deleted."""
StreamName = Literal["stdout", "stderr"]


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a job's log. `number` counts from 1 over both streams. `data`: the bytes of the job, with the newline if there is one.
    `gap`: why lines before this one are missing, None where none are.
    """

    number: int
    time: datetime | None
    stream: str
    data: bytes
    gap: str | None = None

    @property
    def text(self) -> str:
        """The line without its newline; bytes that are no UTF-8 are U+FFFD."""
        return self.data.removesuffix(b"\n").decode(errors="replace")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as receivers of callbacks get it. `number`: its place in the feed of all events; `type`: such as `exit`; `job`: the id
    of the job; `data`: the fields of the type, which docs/events.md lists.
    """

    number: int
    id: str
    type: str
    job: str
    time: datetime | None
    data: dict[str, Any]


def line_of(frame: Frame) -> LogLine:
    """Returns the line of a frame of the log's stream."""
    return LogLine(
        number=frame.seq,
        time=parse_time(frame.time),
        stream=frame.stream,
        data=b"" if frame.is_gap_only else frame.data,
        gap=frame.gap,
    )


def event_of(line: dict[str, Any]) -> Event:
    """Returns the event of a line of the feed."""
    event = line.get("event") or {}
    return Event(
        number=int(line.get("seq") or 0),
        id=str(event.get("id") or ""),
        type=str(event.get("type") or "").rpartition(".")[2],
        job=str(event.get("subject") or ""),
        time=parse_time(event.get("time")),
        data=event.get("data") or {},
    )
