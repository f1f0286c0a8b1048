"""Turns the engine's log lines into stored frames, and stored frames into log events: numbers, gap marks, the size limit. Pure.

A batch of lines becomes one chunk of NDJSON frames (`stored_frames.py`). The frames that have no event yet become one log event for
each stream. When a job's log reaches its limit, one gap mark says so, and later lines are dropped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from jobd.jobs.log.stored_frames import decode_frame, encode_frame
from jobd.jobs.port.model import LogBatch
from jobd.jobs.record.record import Record
from jobd.jobs.state.event_drafts import Draft
from jobd.store.tables.rows import LogChunk
from jobd.wire import event
from jobd.wire.job import JobSpec
from jobd.wire.views.log import LogLine

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Batch:
    """The next record, and the frames that a batch of lines adds to the log (empty: nothing to store)."""

    record: Record
    first_seq: int
    last_seq: int
    frames: bytes

    @property
    def line_count(self) -> int:
        """The number of frames."""
        return self.last_seq - self.first_seq + 1


def append_lines(record: Record, batch: LogBatch, max_bytes: int) -> Batch:
    """Returns the batch that appends the lines of `batch`, which follow the record's cursor, to the job's log."""
    frames: list[bytes] = []
    log = record.log
    seq, size, full = log.seq, log.size_bytes, log.is_full
    for raw in batch.lines:
        if full:
            continue
        gap, text = raw.gap, raw.text
        if size + len(text) > max_bytes:
            full, text = True, ""
            gap = f"the log is full at {max_bytes} bytes; later lines are dropped"
        seq += 1
        frame = LogLine(
            seq=seq,
            time=raw.time,
            stream=raw.stream,
            line=text,
            gap=gap,
            partial=raw.partial or full,  # a mark alone has no newline
            raw=None if full else raw.raw,
            unterminated=raw.newline is False and not (raw.partial or full),
        )
        encoded = encode_frame(frame)
        size += len(encoded)
        frames.append(encoded)
    attempt = record.attempt
    after = record.change(
        log=log.change(seq=seq, size_bytes=size, is_full=full),
        attempt=attempt.change(reading=attempt.reading.change(cursor=batch.cursor)),
    )
    joined = b"\n".join(frames) + b"\n" if frames else b""
    return Batch(after, log.seq + 1, seq, joined)


def mark_incomplete(record: Record, why: str, now: datetime) -> Batch:
    """Returns the batch that marks the end of the job's log as missing; no frame if the log is full, or has that mark."""
    attempt, log = record.attempt, record.log
    after = record.change(attempt=attempt.change(reading=attempt.reading.change(incomplete=True)))
    if attempt.reading.incomplete or log.is_full:
        return Batch(after, log.seq + 1, log.seq, b"")
    seq = log.seq + 1
    time = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    frame = _encoder.encode(LogLine(seq=seq, time=time, stream="stdout", line="", gap=why, partial=True))
    after = after.change(log=log.change(seq=seq, size_bytes=log.size_bytes + len(frame)))
    return Batch(after, seq, seq, frame + b"\n")


def log_events(record: Record, spec: JobSpec, frames: bytes) -> tuple[Record, tuple[Draft, ...]]:
    """Returns the record after the log events of those `frames` that have none, and the events, one for each stream.

    The stored `frames` must follow the last line with an event. A gap mark becomes a line of its own, `[jobd: why]`, and the event's
    `gap` says why: a worker cannot write that field.
    """
    texts: dict[str, list[str]] = {}
    gaps: dict[str, dict[str, None]] = {}
    announced = record.log.announced
    for encoded in frames.splitlines():
        frame = decode_frame(encoded)
        if frame.seq <= announced:
            continue
        announced = frame.seq
        lines = texts.setdefault(frame.stream, [])
        if frame.gap:
            lines.append(f"[jobd: {frame.gap}]")
            gaps.setdefault(frame.stream, {})[frame.gap] = None
        is_mark_only = frame.gap and (frame.partial or (record.log.is_full and frame.seq == record.log.seq))
        if frame.line or not is_mark_only:
            lines.append(frame.line)
    drafts = []
    for stream, lines in texts.items():
        data: dict[str, object] = {
            "jobId": record.id,
            "lines": lines,
            "stream": stream,
            "meta": spec.meta,
        }
        if stream in gaps:
            data["gap"] = "; ".join(gaps[stream])
        drafts.append(Draft(event.LOG, data))
    return record.change(log=record.log.change(announced=announced)), tuple(drafts)


def mark_damaged(chunk: LogChunk, time: datetime) -> LogChunk:
    """Returns the chunk; if its checksum does not match, one gap mark with this time in its place. Pure."""
    if not chunk.damaged:
        return chunk
    why = f"lines {chunk.first_seq} to {chunk.last_seq} cannot be read: the disk has changed their bytes"
    frame = LogLine(
        seq=chunk.last_seq, time=event.rfc3339(time), stream="stdout", line="", gap=why, partial=True
    )
    return LogChunk(chunk.last_seq, chunk.last_seq, 1, _encoder.encode(frame) + b"\n")
