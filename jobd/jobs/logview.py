"""A job's log as the API serves it: frames from any line on, live to the job's end, without a gap or a repeat.

Owns the reading side. Frames of text are stored as they go on the wire, so a plain read passes whole chunks through.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from jobd.budget import ByteBudget
from jobd.jobs.live_output import LiveOutputs
from jobd.jobs.log_frames import on_wire, parts
from jobd.jobs.logbook import legible
from jobd.jobs.orchestrator import StreamName
from jobd.jobs.record import Record, purged
from jobd.jobs.watch import Watchers
from jobd.store.rows import LogChunk
from jobd.store.store import Store
from jobd.wire.view import End, LogEnd, LogLine, LogUnfinished, Unfinished

READ_BYTES = 64 << 10
"""A page is one chunk where that is longer."""
TAIL_READ_BYTES = 1 << 20
KEEP_ALIVE_S = 15.0

_decoder = msgspec.json.Decoder(LogLine)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class LogQuery:
    """`after`: the last line the reader has. `tail`: only so many of the lines that are there now, then what follows.
    `unfinished`: also what stands in lines that have not ended.
    """

    follow: bool = False
    after: int = 0
    tail: int | None = None
    stream: str | None = None
    unfinished: bool = False


class LogView:
    """Reads logs. `current` gives a job's record as it is now, None where it is purged; all readers share `budget`."""

    def __init__(
        self,
        store: Store,
        watchers: Watchers,
        current: Callable[[Record], Coroutine[Any, Any, Record | None]],
        budget: ByteBudget,
        outputs: LiveOutputs | None = None,
    ) -> None:
        self._outputs = outputs
        self._budget = budget
        self._store = store
        self._watchers = watchers
        self._current = current

    async def frames(self, record: Record, query: LogQuery) -> AsyncIterator[bytes]:
        """Yields NDJSON, whole lines; the end frame last, where the job has ended or is followed to its end.

        While nothing happens an empty line is yielded now and then, which keeps the connection known to be alive.
        """
        after = query.after
        seen: dict[StreamName, int] = {}
        if query.tail is not None:
            after = max(after, await self._tail_start(record, query))
        with self._watchers.watch(record.uid) as news:
            while True:
                news.clear()
                record = await self._current(record) or _deleted(record)
                while True:
                    async with self._budget.hold(READ_BYTES, estimated=True) as hold:
                        chunks = await self._store.log_chunks(record.uid, after, READ_BYTES)
                        hold.measured(sum(len(chunk.data) for chunk in chunks))
                        for chunk in chunks:
                            for part in on_wire(cut(legible(chunk, record.created_at), after, query.stream)):
                                yield part
                                hold.moved()
                            after = chunk.last_seq
                    if not chunks:
                        break
                if query.unfinished:
                    for frame in self._unfinished(record.uid, after, query.stream, seen):
                        yield frame
                if record.ended:
                    end = End(status=record.status, exit_code=record.exit_code, reason=record.reason)
                    yield _encoder.encode(LogEnd(end=end)) + b"\n"
                    return
                if not query.follow:
                    return
                try:
                    await asyncio.wait_for(news.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield b"\n"

    def _unfinished(
        self, uid: str, after: int, stream: str | None, seen: dict[StreamName, int]
    ) -> Iterator[bytes]:
        output = self._outputs.of(uid) if self._outputs is not None else None
        for part in output.unfinished(after, seen) if output is not None else ():
            seen[part.stream] = part.place
            if stream in (None, part.stream):
                frame = Unfinished(stream=part.stream, at=part.at, raw=part.data)
                yield from parts(_encoder.encode(LogUnfinished(unfinished=frame)) + b"\n")

    async def _tail_start(self, record: Record, query: LogQuery) -> int:
        stats = await self._store.log_stats(record.uid)
        if query.tail is None or query.tail <= 0:
            return stats.last_seq
        if query.stream is None:
            return max(0, stats.last_seq - query.tail)
        # Of one stream alone it takes a look at the lines: from the end, a growing part each time.
        span = query.tail
        while True:
            start = max(0, stats.last_seq - span)
            seqs = await self._seqs(record, start, stats.last_seq, query.stream)
            if len(seqs) >= query.tail or start == 0:
                return seqs[-query.tail] - 1 if len(seqs) >= query.tail else 0
            span *= 4

    async def _seqs(self, record: Record, after: int, last: int, stream: str) -> list[int]:
        seqs: list[int] = []
        while after < last:
            async with self._budget.hold(TAIL_READ_BYTES, estimated=True) as hold:
                stored = await self._store.log_chunks(record.uid, after, TAIL_READ_BYTES)
                hold.measured(sum(len(chunk.data) for chunk in stored))
            chunks = [legible(chunk, record.created_at) for chunk in stored]
            if not chunks:
                break
            for chunk in chunks:
                lines = map(_decoder.decode, chunk.data.splitlines())
                seqs += [line.seq for line in lines if after < line.seq <= last and line.stream == stream]
                after = chunk.last_seq
        return seqs


def _deleted(record: Record) -> Record:
    """Returns the end of a job that was deleted while its log was read."""
    return record if record.ended else msgspec.structs.replace(purged(record), reason="deleted")


def cut(chunk: LogChunk, after: int, stream: str | None) -> bytes:
    """Returns the chunk's frames after line `after`, of one stream where it is named; pure."""
    if stream is None and chunk.first_seq > after:
        return chunk.data
    if stream is None:
        return b"".join(chunk.data.splitlines(keepends=True)[after - chunk.first_seq + 1 :])
    kept = []
    for frame in chunk.data.splitlines(keepends=True):
        line = _decoder.decode(frame)
        if line.seq > after and line.stream == stream:
            kept.append(frame)
    return b"".join(kept)
