"""A job's log as the API serves it: frames from any line on, live to the job's end, without a gap or a repeat.

Owns the reading side. Frames of text are stored as they go on the wire, so a plain read passes whole chunks through.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobd.budget import ByteBudget
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.log.log_batches import legible
from jobd.jobs.log.log_frames import on_wire, parts
from jobd.jobs.port.model import StreamName
from jobd.jobs.state.outcome import purged
from jobd.jobs.state.record import Record
from jobd.store.store import Store
from jobd.store.tables.rows import LogChunk
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
        change_notifier: ChangeNotifier,
        current: Callable[[Record], Coroutine[Any, Any, Record | None]],
        budget: ByteBudget,
        outputs: LiveOutputs | None = None,
    ) -> None:
        self._outputs = outputs
        self._budget = budget
        self._store = store
        self._change_notifier = change_notifier
        self._current = current

    async def frames(self, record: Record, query: LogQuery) -> AsyncIterator[bytes]:
        """Yields NDJSON, whole lines; the end frame last, where the job has ended or is followed to its end.

        While nothing happens an empty line is yielded now and then, which keeps the connection known to be alive.
        """
        after = query.after
        seen: dict[StreamName, int] = {}
        if query.tail is not None:
            after = max(after, await self._tail_start(record, query))
        with self._change_notifier.watch(record.uid) as news:
            while True:
                news.clear()
                record = await self._current(record) or _deleted(record)
                while True:
                    async with self._budget.hold(READ_BYTES, estimated=True) as hold:
                        chunks = await self._store.log_chunks(record.uid, after, READ_BYTES)
                        hold.measured(held_bytes(chunks))
                        is_end = not chunks
                        for chunk in chunks:
                            for part in on_wire(cut(legible(chunk, record.created_at), after, query.stream)):
                                yield part
                                hold.moved()
                                del part
                            after = chunk.last_seq
                            del chunk
                        # Nothing of a page may live on while the reader waits for the next one: it is counted no more.
                        del chunks
                    if is_end:
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
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await news.wait()
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
        # Of one stream alone the lines are counted: of a part at the log's end, that grows until it holds enough of them.
        span = query.tail
        while True:
            start = max(0, stats.last_seq - span)
            count = await self._count(record, start, stats.last_seq, query.stream)
            if count >= query.tail:
                return await self._place_of(record, start, stats.last_seq, query.stream, count - query.tail)
            if start == 0:
                return 0
            span *= 4

    async def _count(self, record: Record, after: int, last: int, stream: str) -> int:
        """Returns how many lines of the stream there are between the two numbers."""
        count = 0
        while after < last:
            async with self._budget.hold(TAIL_READ_BYTES, estimated=True) as hold:
                chunks = await self._tail_page(record, after)
                hold.measured(held_bytes(chunks))
                if not chunks:
                    break
                for chunk in chunks:
                    count += sum(1 for _ in _seqs(chunk, after, last, stream))
                after = chunks[-1].last_seq
                del chunk, chunks
        return count

    async def _place_of(self, record: Record, after: int, last: int, stream: str, skip: int) -> int:
        """Returns the number before the line that follows the first `skip` lines of the stream after `after`."""
        while after < last:
            async with self._budget.hold(TAIL_READ_BYTES, estimated=True) as hold:
                chunks = await self._tail_page(record, after)
                hold.measured(held_bytes(chunks))
                if not chunks:
                    break
                for chunk in chunks:
                    for seq in _seqs(chunk, after, last, stream):
                        if skip == 0:
                            return seq - 1
                        skip -= 1
                after = chunks[-1].last_seq
                del chunk, chunks
        return last

    async def _tail_page(self, record: Record, after: int) -> list[LogChunk]:
        stored = await self._store.log_chunks(record.uid, after, TAIL_READ_BYTES)
        return [legible(chunk, record.created_at) for chunk in stored]


def held_bytes(chunks: Sequence[LogChunk]) -> int:
    """Returns how much a page takes while it is passed on: its chunks, and one of them a second time where it is cut."""
    sizes = [len(chunk.data) for chunk in chunks]
    return sum(sizes) + max(sizes, default=0)


def _seqs(chunk: LogChunk, after: int, last: int, stream: str) -> Iterator[int]:
    """The numbers of one stream's lines in a chunk, one line in memory at a time."""
    for frame in io.BytesIO(chunk.data):
        line = _decoder.decode(frame)
        if after < line.seq <= last and line.stream == stream:
            yield line.seq


def _deleted(record: Record) -> Record:
    """Returns the end of a job that was deleted while its log was read."""
    return purged(record, reason="deleted")


def cut(chunk: LogChunk, after: int, stream: str | None) -> bytes:
    """Returns the chunk's frames after line `after`, of one stream where it is named; pure."""
    if stream is None and chunk.first_seq > after:
        return chunk.data
    frames = io.BytesIO(chunk.data)  # as it is: the bytes are shared, and no list of lines is made
    if stream is None:
        for _ in range(after - chunk.first_seq + 1):
            frames.readline()
        return frames.read()
    kept = io.BytesIO()
    for frame in frames:
        line = _decoder.decode(frame)
        if line.seq > after and line.stream == stream:
            kept.write(frame)
    return kept.getvalue()
