"""From the engine's log lines to what is stored and sent: sequence numbers, wire frames, log events, the size bound. Pure.

Owns the rules for a batch, which becomes one chunk of NDJSON frames, as `log_frames.py` has them; and for log events,
which are made of stored frames, as many as are not announced yet, one event a stream. When a job's log is full, one marked line
says so and the rest is dropped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from jobd.jobs.log.log_frames import decoded, stored
from jobd.jobs.port.model import LogBatch
from jobd.jobs.state.event_drafts import Draft
from jobd.jobs.state.record import Record
from jobd.store.tables.rows import LogChunk
from jobd.wire import event
from jobd.wire.job import JobSpec
from jobd.wire.view import LogLine

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of lines makes: the next record and the frames (empty: nothing to store)."""

    record: Record
    first_seq: int
    last_seq: int
    frames: bytes

    @property
    def line_count(self) -> int:
        """How many frames there are."""
        return self.last_seq - self.first_seq + 1


def take(record: Record, batch: LogBatch, max_bytes: int) -> Batch:
    """Returns what the lines of `batch`, which come after all that the record has seen, add to the job's log."""
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
            partial=raw.partial and not full,
            raw=None if full else raw.raw,
            unterminated=raw.newline is False and not (raw.partial or full),
        )
        encoded = stored(frame)
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
    """Returns what it adds to the job's log that its end could not be read; nothing where the log is full, or says so already."""
    attempt, log = record.attempt, record.log
    after = record.change(attempt=attempt.change(reading=attempt.reading.change(incomplete=True)))
    if attempt.reading.incomplete or log.is_full:
        return Batch(after, log.seq + 1, log.seq, b"")
    seq = log.seq + 1
    time = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    frame = _encoder.encode(LogLine(seq=seq, time=time, stream="stdout", line="", gap=why, partial=True))
    after = after.change(log=log.change(seq=seq, size_bytes=log.size_bytes + len(frame)))
    return Batch(after, seq, seq, frame + b"\n")


def announce(record: Record, spec: JobSpec, frames: bytes) -> tuple[Record, tuple[Draft, ...]]:
    """Returns the log events for those of the stored `frames` that have none yet, one a stream, and the record that remembers
    it. The frames must follow what is announced without a hole.

    A gap is a line of its own in its place, `[jobd: why]`, and the event's `gap` says why: a worker cannot write that.
    """
    texts: dict[str, list[str]] = {}
    gaps: dict[str, dict[str, None]] = {}
    announced = record.log.announced
    for encoded in frames.splitlines():
        frame = decoded(encoded)
        if frame.seq <= announced:
            continue
        announced = frame.seq
        lines = texts.setdefault(frame.stream, [])
        if frame.gap:
            lines.append(f"[jobd: {frame.gap}]")
            gaps.setdefault(frame.stream, {})[frame.gap] = None
        only_says_why = frame.gap and (frame.partial or (record.log.is_full and frame.seq == record.log.seq))
        if frame.line or not only_says_why:
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


def legible(chunk: LogChunk, moment: datetime) -> LogChunk:
    """Returns the chunk, or, where the disk has changed it, one line of that time in its place that says so. Pure."""
    if not chunk.damaged:
        return chunk
    why = f"lines {chunk.first_seq} to {chunk.last_seq} cannot be read: the disk has changed them"
    frame = LogLine(seq=chunk.last_seq, time=event.rfc3339(moment), stream="stdout", line="", gap=why)
    return LogChunk(chunk.last_seq, chunk.last_seq, 1, _encoder.encode(frame) + b"\n")
