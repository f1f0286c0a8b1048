"""From the engine's log lines to what is stored and sent: sequence numbers, wire frames, log events, the size bound. Pure.

Owns the rules for a batch. One batch becomes one chunk of NDJSON frames, exactly as the API serves them, and at most one log
event a stream. When a job's log is full, one marked line says so and the rest is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from jobd.jobs.facts import Draft
from jobd.jobs.orchestrator import LogCursor, RawLine, StreamName
from jobd.jobs.record import Cursor, Record
from jobd.wire import event
from jobd.wire.job import JobSpec
from jobd.wire.view import LogLine

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of lines makes: the next record, the frames (empty: nothing to store) and the log events."""

    record: Record
    first_seq: int
    last_seq: int
    frames: bytes
    drafts: tuple[Draft, ...]

    @property
    def line_count(self) -> int:
        """How many frames there are."""
        return self.last_seq - self.first_seq + 1


def take(record: Record, spec: JobSpec, lines: Sequence[RawLine], max_bytes: int) -> Batch:
    """Returns what `lines`, which come after all that the record has seen, add to the job's log."""
    frames: list[bytes] = []
    texts: dict[StreamName, list[str]] = {}
    seq, size, full = record.log_seq, record.log_bytes, record.log_full
    cursors = dict(record.log_cursors)
    for raw in lines:
        cursors[raw.stream] = Cursor(raw.cursor.timestamp, raw.cursor.taken)
        if full:
            continue
        gap, text = raw.gap, raw.text
        if size + len(text) > max_bytes:
            full, text = True, ""
            gap = f"the log is full at {max_bytes} bytes; later lines are dropped"
        seq += 1
        frame = LogLine(
            seq=seq, time=raw.time, stream=raw.stream, line=text, gap=gap, partial=raw.partial and not full
        )
        encoded = _encoder.encode(frame)
        size += len(encoded)
        frames.append(encoded)
        if gap:
            texts.setdefault(raw.stream, []).append(f"[jobd: {gap}]")
        if not full:
            texts.setdefault(raw.stream, []).append(text)
    drafts = tuple(
        Draft(event.LOG, {"jobId": record.id, "lines": stream_lines, "stream": stream, "meta": spec.meta})
        for stream, stream_lines in texts.items()
    )
    after = msgspec.structs.replace(record, log_seq=seq, log_bytes=size, log_full=full, log_cursors=cursors)
    joined = b"\n".join(frames) + b"\n" if frames else b""
    return Batch(after, record.log_seq + 1, seq, joined, drafts)


def cursors_of(record: Record) -> dict[StreamName, LogCursor]:
    """Returns where reading goes on, a stream each."""
    found: dict[StreamName, LogCursor] = {}
    for name in ("stdout", "stderr"):
        if name in record.log_cursors:
            cursor = record.log_cursors[name]
            found[name] = LogCursor(cursor.timestamp, cursor.taken)
    return found
