"""A job's log as the API serves it: from any line on, of one stream or both, followed to the end, each line once."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from jobd.jobs.log import log_view
from jobd.jobs.log.live_output import LiveOutput, LiveOutputs
from jobd.jobs.log.log_batches import append_lines
from jobd.jobs.log.log_view import LogQuery, LogView, cut
from jobd.jobs.port.model import LOG_START, LogBatch, RawLine, StreamName
from jobd.jobs.state.new_record import new_record
from jobd.jobs.state.parts import Ended, Failure
from jobd.jobs.state.record import Record
from jobd.jobs.state.states import Done
from jobd.store.tables.rows import LogChunk
from jobd.wire.job import JobSpec
from jobd.wire.view import LogLine

SPEC = JobSpec(id="a", image="b")
DEADLINE_S = 60.0


FOLLOW = LogQuery(follow=True, unfinished=True)


class Log:
    """A stored job with a view of its log: `write` adds lines, `finish` ends the job."""

    def __init__(self, house: Any, record: Record) -> None:
        self.house = house
        self.record = record
        self.outputs = LiveOutputs()
        self.view = LogView(house.store, house.change_notifier, self._current, house.budget, self.outputs)

    def print(self) -> LiveOutput:
        """Returns the output of a worker that has just started."""
        output = LiveOutput(self.record.log.seq, lambda: self.house.change_notifier.notify(self.record.uid))
        self.outputs.put(self.record.uid, output)
        return output

    async def _current(self, record: Record) -> Record:
        return self.record

    async def write(self, *lines: str, stream: StreamName = "stdout") -> None:
        raw = [RawLine(stream, "2030-01-01T00:00:00Z", text) for text in lines]
        batch = append_lines(self.record, LogBatch(raw, LOG_START), 1 << 20)
        self.record = await self.house.repository.change(batch.record, SPEC, (), batch)
        if (output := self.outputs.of(self.record.uid)) is not None:
            output.stored(raw, batch.first_seq, batch.last_seq)

    async def finish(self) -> None:
        now = self.house.clock.now()
        worker, failure = Ended(asked_at=now, exit_code=3), Failure(reason="exit-code")
        ended = self.record.with_state(Done(finished_at=now, worker=worker, failure=failure))
        self.record = await self.house.repository.change(ended, SPEC)

    async def read(self, **query: Any) -> list[Any]:
        async with asyncio.timeout(DEADLINE_S):
            parts = [part async for part in self.view.frames(self.record, LogQuery(**query))]
        whole = b"".join(parts)
        assert not whole or whole.endswith(b"\n")
        return [msgspec.json.decode(frame) for frame in whole.splitlines() if frame]


@pytest.fixture
async def log(house: Any) -> Log:
    record = new_record(SPEC, now=house.clock.now(), owner=None, digest="", has_spool=False)
    await house.repository.open(record, SPEC, msgspec.json.encode(SPEC), None)
    return Log(house, record)


def seqs(frames: Sequence[Any]) -> list[int]:
    return [frame["seq"] for frame in frames if "seq" in frame]


END = {"end": {"status": "failed", "exitCode": 3, "reason": "exit-code"}}


async def test_a_log_is_read_from_any_line_on(log: Log) -> None:
    await log.write("one", "two")
    await log.write("three", stream="stderr")
    await log.write("four")
    assert [frame["line"] for frame in await log.read()] == ["one", "two", "three", "four"]
    for after in range(6):
        assert seqs(await log.read(after=after)) == list(range(after + 1, 5))


async def test_the_end_frame_is_last_once_the_job_has_ended(log: Log) -> None:
    assert await log.read() == []
    await log.write("one")
    await log.finish()
    assert (await log.read())[-1] == END
    assert await log.read(after=1) == [END]
    assert await log.read(after=99, follow=True) == [END]


async def test_bytes_of_an_unfinished_line_come_before_the_line_on_request(log: Log) -> None:
    await log.write("one")
    output = log.print()
    frames = log.view.frames(log.record, FOLLOW)
    plain = log.view.frames(log.record, LogQuery(follow=True))
    async with asyncio.timeout(DEADLINE_S):
        assert msgspec.json.decode(await anext(frames))["line"] == "one"
        output.append("stdout", b"10%\r")
        assert msgspec.json.decode(await anext(frames)) == {
            "unfinished": {"stream": "stdout", "at": 0, "raw": "MTAlDQ=="}
        }
        output.append("stdout", b"\xff\n")
        assert msgspec.json.decode(await anext(frames)) == {
            "unfinished": {"stream": "stdout", "at": 4, "raw": "/wo="}
        }
        again = log.view.frames(log.record, LogQuery(follow=True, unfinished=True, after=1))
        assert msgspec.json.decode(await anext(again))["unfinished"]["at"] == 0
        await log.write("10%\r�")
        assert msgspec.json.decode(await anext(frames))["seq"] == 2
        await log.finish()
        assert msgspec.json.decode(await anext(frames)) == END
        assert seqs([msgspec.json.decode(part) async for part in plain]) == [1, 2]
        assert seqs([msgspec.json.decode(part) async for part in again]) == [2]


async def test_unfinished_lines_of_one_stream_alone_are_served(log: Log) -> None:
    output = log.print()
    output.append("stdout", b"out")
    output.append("stderr", b"err")
    frames = log.view.frames(log.record, LogQuery(follow=True, unfinished=True, stream="stderr"))
    async with asyncio.timeout(DEADLINE_S):
        assert msgspec.json.decode(await anext(frames))["unfinished"]["stream"] == "stderr"
        await log.finish()
        assert msgspec.json.decode(await anext(frames)) == END


async def test_one_stream_alone_keeps_its_numbers(log: Log) -> None:
    await log.write("a", "b")
    await log.write("c", stream="stderr")
    await log.write("d")
    assert seqs(await log.read(stream="stdout")) == [1, 2, 4]
    assert seqs(await log.read(stream="stderr")) == [3]
    assert seqs(await log.read(stream="stdout", after=1)) == [2, 4]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [(0, []), (1, [6]), (2, [5, 6]), (5, [2, 3, 4, 5, 6]), (6, [1, 2, 3, 4, 5, 6]), (99, [1, 2, 3, 4, 5, 6])],
)
async def test_a_tail_is_the_last_lines(log: Log, tail: int, expected: list[int]) -> None:
    await log.write("1", "2", "3")
    await log.write("4", "5", "6")
    assert seqs(await log.read(tail=tail)) == expected
    assert seqs(await log.read(tail=tail, after=4)) == [seq for seq in expected if seq > 4]


@pytest.mark.parametrize(("tail", "expected"), [(0, []), (1, [1]), (2, [1]), (9, [1])])
async def test_a_tail_of_one_stream_reads_back_until_it_has_enough_lines(
    log: Log, tail: int, expected: list[int]
) -> None:
    await log.write("only", stream="stderr")
    for _ in range(4):
        await log.write(*("x" * 3 for _ in range(10)))
    assert seqs(await log.read(tail=tail, stream="stderr")) == expected
    assert len(await log.read(tail=7, stream="stdout")) == 7


async def test_a_follower_gets_each_line_once_and_then_the_end(log: Log) -> None:
    await log.write("before")
    reading = asyncio.create_task(log.read(follow=True))
    for number in range(20):
        await log.write(f"line {number}", *(["more"] * (number % 3)))
        await asyncio.sleep(0)
    await log.finish()
    frames = await asyncio.wait_for(reading, DEADLINE_S)
    assert seqs(frames) == list(range(1, log.record.log.seq + 1))
    assert frames[-1] == END


async def test_a_follower_that_reconnects_continues_after_its_last_line(log: Log) -> None:
    await log.write(*"abcdef")
    stream = log.view.frames(log.record, LogQuery(follow=True))
    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    had = [msgspec.json.decode(frame)["seq"] for frame in first.splitlines()]
    await log.write(*"ghi")
    await log.finish()
    rest = await log.read(follow=True, after=had[-1])
    assert had + seqs(rest) == list(range(1, 10))
    assert not log.house.change_notifier._events


async def test_a_followed_tail_continues_with_later_lines(log: Log) -> None:
    await log.write(*"abc")
    reading = asyncio.create_task(log.read(follow=True, tail=1))
    while not log.house.change_notifier._events:
        await asyncio.sleep(0)
    await log.write("d")
    await log.finish()
    assert seqs(await asyncio.wait_for(reading, DEADLINE_S)) == [3, 4]


def chunk(first: int, *streams: str) -> LogChunk:
    frames = [
        msgspec.json.encode(LogLine(seq=first + at, time="t", stream=stream, line="\u2028 x")) + b"\n"
        for at, stream in enumerate(streams)
    ]
    return LogChunk(first, first + len(streams) - 1, len(streams), b"".join(frames))


@pytest.mark.parametrize("after", range(9))
def test_a_chunk_is_cut_at_any_line(after: int) -> None:
    whole = chunk(3, "stdout", "stderr", "stdout", "stdout")
    left = [msgspec.json.decode(frame)["seq"] for frame in cut(whole, after, None).split(b"\n") if frame]
    assert left == [seq for seq in (3, 4, 5, 6) if seq > after]
    left = [msgspec.json.decode(frame)["seq"] for frame in cut(whole, after, "stdout").split(b"\n") if frame]
    assert left == [seq for seq in (3, 5, 6) if seq > after]


def test_a_whole_chunk_is_passed_on_without_a_copy() -> None:
    whole = chunk(3, "stdout", "stderr")
    assert cut(whole, 2, None) is whole.data


async def test_following_ends_with_the_job_s_purge(
    house: Any, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "KEEP_ALIVE_S", 0.01)
    await log.write("one")
    log.view = LogView(house.store, house.change_notifier, house.service.current, house.budget)
    following = asyncio.create_task(log.read(follow=True))
    async with asyncio.timeout(DEADLINE_S):
        while not house.change_notifier._events:
            await asyncio.sleep(0)
    assert await house.store.purge(log.record.uid)
    frames = await following
    assert seqs(frames) in ([1], [])  # its line, if it was read before the purge
    assert frames[-1] == {"end": {"status": "cancelled", "exitCode": None, "reason": "deleted"}}


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def in_use() -> int:
    """The bytes that Python objects hold."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def next_part(stream: AsyncIterator[bytes]) -> bytes:
    return await anext(stream)


async def followers_at_the_end(log: Log, count: int, **query: Any) -> list[asyncio.Task[bytes]]:
    """Followers that have read the whole log and wait for more."""
    waiting: list[asyncio.Task[bytes]] = []
    for _ in range(count):
        stream = log.view.frames(log.record, LogQuery(follow=True, **query))
        left = log.record.log.size_bytes
        while left > 0:
            left -= len(await anext(stream))
        waiting.append(asyncio.create_task(next_part(stream)))
    return waiting


async def ended(waiting: list[asyncio.Task[bytes]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("query", [{}, {"stream": "stdout"}], ids=["whole", "one stream"])
async def test_a_follower_keeps_no_page_while_it_waits_for_lines(
    log: Log, traced: None, query: dict[str, Any]
) -> None:
    await log.write(*("x" * 1000 for _ in range(300)))
    before = in_use()
    waiting = await followers_at_the_end(log, 20, **query)
    async with asyncio.timeout(DEADLINE_S):
        while log.house.budget.reserved_bytes:
            await asyncio.sleep(0)
    assert in_use() - before < 20 * 30_000, "a page is 300 kB"
    await ended(waiting)


async def test_a_reader_keeps_no_page_while_it_waits_for_room(log: Log, traced: None) -> None:
    for _ in range(2):
        await log.write(*("x" * 1000 for _ in range(300)))
    before = in_use()
    readers, size = (
        [log.view.frames(log.record, LogQuery()) for _ in range(20)],
        log.record.log.size_bytes // 2,
    )
    for reader in readers:
        got = 0
        while got < size:
            got += len(await anext(reader))
    async with log.house.budget.reserve(log.house.budget.limit // 2):
        waiting = [asyncio.create_task(next_part(reader)) for reader in readers]
        async with log.house.budget.reserve(log.house.budget.limit // 2, estimated=True):
            await asyncio.sleep(0)
            assert log.house.budget.reserved_bytes >= log.house.budget.limit // 2
            assert in_use() - before < 20 * 30_000, "a page is 300 kB"
            await ended(waiting)


async def test_a_long_tail_of_one_stream_holds_a_page_and_not_the_log(
    log: Log, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "TAIL_READ_BYTES", 1 << 14)
    for _ in range(8):
        await log.write(*("" for _ in range(1000)))
    before = in_use()
    tracemalloc.reset_peak()
    first = await anext(log.view.frames(log.record, LogQuery(tail=10**18 - 1, stream="stdout")))
    assert msgspec.json.decode(first.splitlines()[0])["seq"] == 1
    small = tracemalloc.get_traced_memory()[1] - before
    del first
    for _ in range(100):
        await log.write(*("" for _ in range(1000)))
    before = in_use()
    tracemalloc.reset_peak()
    await anext(log.view.frames(log.record, LogQuery(tail=10**18 - 1, stream="stdout")))
    assert tracemalloc.get_traced_memory()[1] - before < 1.5 * small, "100000 lines more"
