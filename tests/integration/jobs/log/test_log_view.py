"""A job's log as the API serves it: from any line on, of one stream or both, followed to the end, each line once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from jobd.jobs.log import log_view
from jobd.jobs.log.log_view import LogQuery, LogView, cut
from jobd.store.tables.rows import LogChunk
from jobd.wire.views.log import LogLine
from tests.support.stored_log import DEADLINE_S, FOLLOW, Log


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
    assert not log.system.change_notifier._events


async def test_a_followed_tail_continues_with_later_lines(log: Log) -> None:
    await log.write(*"abc")
    reading = asyncio.create_task(log.read(follow=True, tail=1))
    while not log.system.change_notifier._events:
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
    system: Any, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "KEEP_ALIVE_S", 0.01)
    await log.write("one")
    log.view = LogView(system.store, system.change_notifier, system.service.current, system.budget)
    following = asyncio.create_task(log.read(follow=True))
    async with asyncio.timeout(DEADLINE_S):
        while not system.change_notifier._events:
            await asyncio.sleep(0)
    assert await system.store.purge(log.record.uid)
    frames = await following
    assert seqs(frames) in ([1], [])  # its line, if it was read before the purge
    assert frames[-1] == {"end": {"status": "cancelled", "exitCode": None, "reason": "deleted"}}
