"""Serves a job's log: frames from any line on, followed to the job's end, each line once and in order.

Owns the reads. Text is stored in its wire form, so that a plain read passes whole chunks through.
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobd.budget import ByteBudget
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.log.log_storage import mark_damaged
from jobd.jobs.log.stored_frames import split, wire_parts
from jobd.jobs.port.model import StreamName
from jobd.jobs.record.record import Record
from jobd.jobs.state.transitions.outcome import purged
from jobd.jobs.storage import Logs
from jobd.store.tables.rows import LogChunk
from jobd.wire.views.log import End, LogEnd, LogLine, LogUnfinished, Unfinished

READ_BYTES = 64 << 10
"""A page has at least one chunk, however long the chunk is."""
TAIL_READ_BYTES = 1 << 20
KEEP_ALIVE_S = 15.0

_decoder = msgspec.json.Decoder(LogLine)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class LogQuery:
    """`after`: the last line that the reader has. `tail`: only so many of the lines that are stored now, then all later ones.
    `unfinished`: also the bytes of lines that have not ended.
    """

    follow: bool = False
    after: int = 0
    tail: int | None = None
    stream: str | None = None
    unfinished: bool = False


class LogView:
    """Reads logs. `current` returns a job's present record, None if the job is purged. All readers share `budget`."""

    def __init__(
        self,
        store: Logs,
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
        """Yields NDJSON in whole lines. The end frame is last, if the job has ended or is followed to its end.

        A follower without news gets an empty line every `KEEP_ALIVE_S`, which shows that the connection works.
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
                    async with self._budget.reserve(READ_BYTES, estimated=True) as hold:
                        chunks = await self._store.log_chunks(record.uid, after, READ_BYTES)
                        hold.resize(held_bytes(chunks))
                        is_end = not chunks
                        for chunk in chunks:
                            for part in wire_parts(
                                cut(mark_damaged(chunk, record.created_at), after, query.stream)
                            ):
                                yield part
                                hold.mark_progress()
                                del part
                            after = chunk.last_seq
                            del chunk
                        # The budget no longer counts this page: the reader keeps no part of it while it waits for the next page.
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
            seen[part.stream] = part.end_offset
            if stream in (None, part.stream):
                frame = Unfinished(stream=part.stream, at=part.at, raw=part.data)
                yield from split(_encoder.encode(LogUnfinished(unfinished=frame)) + b"\n")

    async def _tail_start(self, record: Record, query: LogQuery) -> int:
        stats = await self._store.log_stats(record.uid)
        if query.tail is None or query.tail <= 0:
            return stats.last_seq
        if query.stream is None:
            return max(0, stats.last_seq - query.tail)
        # The lines of one stream are counted, in a span at the log's end that grows until it has enough of them.
        span = query.tail
        while True:
            start = max(0, stats.last_seq - span)
            count = 0
            async for _ in self._seqs(record, start, stats.last_seq, query.stream):
                count += 1
            if count >= query.tail:
                return await self._before(record, start, stats.last_seq, query.stream, count - query.tail)
            if start == 0:
                return 0
            span *= 4

    async def _before(self, record: Record, after: int, last: int, stream: str, skip: int) -> int:
        """Returns the number before the stream's line that follows its first `skip` lines after line `after`."""
        async with contextlib.aclosing(self._seqs(record, after, last, stream)) as seqs:
            async for seq in seqs:
                if skip == 0:
                    return seq - 1
                skip -= 1
        return last

    async def _seqs(self, record: Record, after: int, last: int, stream: str) -> AsyncGenerator[int, None]:
        """Yields the numbers of the stream's lines after line `after` up to line `last`; holds one page of the log at a time."""
        while after < last:
            async with self._budget.reserve(TAIL_READ_BYTES, estimated=True) as hold:
                chunks = await self._tail_page(record, after)
                hold.resize(held_bytes(chunks))
                if not chunks:
                    break
                for chunk in chunks:
                    for seq in _seqs_of(chunk, after, last, stream):
                        yield seq
                after = chunks[-1].last_seq
                del chunk, chunks

    async def _tail_page(self, record: Record, after: int) -> list[LogChunk]:
        stored = await self._store.log_chunks(record.uid, after, TAIL_READ_BYTES)
        return [mark_damaged(chunk, record.created_at) for chunk in stored]


def held_bytes(chunks: Sequence[LogChunk]) -> int:
    """Returns the memory that a page needs while it is sent: its chunks, and the longest chunk once more, for `cut`."""
    sizes = [len(chunk.data) for chunk in chunks]
    return sum(sizes) + max(sizes, default=0)


def _seqs_of(chunk: LogChunk, after: int, last: int, stream: str) -> Iterator[int]:
    """Yields the numbers of one stream's lines in a chunk; holds one line at a time."""
    for frame in io.BytesIO(chunk.data):
        line = _decoder.decode(frame)
        if after < line.seq <= last and line.stream == stream:
            yield line.seq


def _deleted(record: Record) -> Record:
    """Returns the final record of a job that was deleted while its log was read."""
    return purged(record, reason="deleted")


def cut(chunk: LogChunk, after: int, stream: str | None) -> bytes:
    """Returns the chunk's frames after line `after`, of one stream if `stream` is given. Pure."""
    if stream is None and chunk.first_seq > after:
        return chunk.data
    frames = io.BytesIO(chunk.data)  # shares the chunk's bytes, and makes no list of lines
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
