"""Bytes shown before their line ends: each once and in order, for any behaviour of the log, the output and the reader's connection."""

import asyncio
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobctl.connection.log_frames import Frame
from jobctl.connection.log_frames import Unfinished as Shown
from jobctl.output.printer import Printer
from jobd.jobs.log import live_output
from jobd.jobs.log.live_output import LIVE_BYTES, LiveOutput, LiveOutputs, Unfinished
from jobd.jobs.port.model import RawLine, StreamName


def line(data: bytes, stream: StreamName = "stdout", **more: Any) -> RawLine:
    """A line as `log_parser.py` makes it of `data`, with or without a newline."""
    text = data.removesuffix(b"\n")
    return RawLine(
        stream, "t", text.decode("utf-8", "replace"), raw=text, **{"newline": text != data, **more}
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_output, "FLUSH_DELAY_S", 0)
        yield


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


async def flushed() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Worker:
    """A worker's output: `print` adds bytes, `log` stores lines, `notified` counts the notifications."""

    def __init__(self, seq: int | None = 0) -> None:
        self.notified = 0
        self.seq = seq or 0
        self.output = LiveOutput(seq, self._notify)

    def _notify(self) -> None:
        self.notified += 1

    async def print(self, data: bytes, stream: StreamName = "stdout") -> None:
        self.output.append(stream, data)
        await flushed()

    def log(self, *lines: RawLine) -> None:
        first, self.seq = self.seq + 1, self.seq + len(lines)
        self.output.stored(lines, first, self.seq)

    def unfinished(self, seen: dict[StreamName, int] | None = None) -> list[Unfinished]:
        return list(self.output.unfinished(self.seq, {} if seen is None else seen))


async def test_the_bytes_of_an_unfinished_line_are_there_until_the_log_has_the_line() -> None:
    one = Worker()
    await one.print(b"10%\r")
    assert one.unfinished() == [Unfinished("stdout", 0, b"10%\r", 4)]
    await one.print(b"20%\r")
    assert one.unfinished({"stdout": 4}) == [Unfinished("stdout", 4, b"20%\r", 8)]
    assert one.notified == 2
    await one.print(b"done\nnext")
    one.log(line(b"10%\r20%\rdone\n"))
    assert one.unfinished({"stdout": 8}) == [Unfinished("stdout", 0, b"next", 17)]
    assert list(one.output.unfinished(0, {})) == [], "a reader reads the rest of the log first"


async def test_a_line_that_the_log_has_at_once_notifies_no_reader() -> None:
    one = Worker()
    one.output.append("stdout", b"quick\n")
    one.log(line(b"quick\n"))
    await flushed()
    assert (one.notified, one.unfinished()) == (0, [])


async def test_a_log_may_be_ahead_of_the_output() -> None:
    one = Worker()
    one.log(line(b"a\n"))
    await one.print(b"a\nb")
    assert one.unfinished() == [Unfinished("stdout", 0, b"b", 3)]


@pytest.mark.parametrize(
    "wrong", [line(b"other\n"), line(b"x\n", gap="lost"), line(b"abcd\n")], ids=["text", "gap", "longer"]
)
async def test_a_log_that_differs_from_the_output_ends_the_live_output(wrong: RawLine) -> None:
    one = Worker()
    await one.print(b"abc\n")
    one.log(wrong)
    await one.print(b"more")
    assert one.unfinished() == []


async def test_a_log_with_a_hole_in_its_numbers_ends_the_live_output() -> None:
    one = Worker(5)
    await one.print(b"a\nb")
    one.output.stored([line(b"a\n")], 8, 8)
    assert list(one.output.unfinished(8, {})) == []


async def test_the_buffers_are_bounded_and_a_flood_shows_nothing_unfinished() -> None:
    one = Worker()
    for _ in range(40):
        await one.print(b"x" * 9999 + b"\n")
        await one.print(b"y" * 10_000, "stderr")
        assert one.output.held_bytes <= 2 * LIVE_BYTES
    assert one.unfinished() == [], "the buffer has dropped its start, and the log has it"
    for _ in range(40):
        one.log(line(b"x" * 9999 + b"\n"))
    await one.print(b"z")
    assert one.unfinished() == [Unfinished("stdout", 0, b"z", 400_001)]


async def test_the_end_of_a_last_line_is_known_once_the_output_is_complete() -> None:
    one = Worker(None)  # attached late
    last = line(b"x" * 20_000, newline=None)
    assert one.output.ends_with(last) is None
    await one.print(b"x" * 1000)
    assert one.output.ends_with(last) is None, "more may come"
    one.output.end()
    assert one.output.ends_with(last) is False
    one.output.append("stdout", b"\n")
    assert one.output.ends_with(last) is True
    assert one.output.ends_with(line(b"y" * 20_000, newline=None)) is None
    assert one.output.ends_with(line(b"x" * 20_000, "stderr", newline=None)) is None


async def test_an_output_that_broke_off_shows_nothing() -> None:
    one = Worker()
    await one.print(b"x" * 100)
    one.output.close()
    assert one.output.ends_with(line(b"x" * 100, newline=None)) is None
    assert one.unfinished() == []
    assert one.output.ended.is_set()


async def test_dropping_a_replaced_output_leaves_its_successor() -> None:
    outputs = LiveOutputs()
    old, new = Worker().output, Worker().output
    outputs.put("u", old)
    outputs.put("u", new)
    outputs.drop("u", old)
    assert outputs.of("u") is new
    outputs.drop("u", new)
    assert outputs.of("u") is None


class Pipe:
    def __init__(self) -> None:
        self.buffer = io.BytesIO()

    def isatty(self) -> bool:
        return False


pieces = st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"ab\n", b"\n\n", b"\xff"]), max_size=6).map(
    b"".join
)
walks = st.lists(
    st.one_of(
        st.tuples(st.just("print"), st.sampled_from(["stdout", "stderr"]), pieces),
        st.tuples(st.just("log"), st.integers(0, 4), st.integers(2, 9)),
        st.tuples(st.just("read")),
        st.tuples(st.just("reconnect")),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(walks)
@example([("print", "stdout", b"a\r"), ("read",), ("reconnect",), ("print", "stdout", b"b"), ("read",)])
@example(
    [
        ("print", "stdout", b"a"),
        ("read",),
        ("restart",),
        ("print", "stdout", b"b\n"),
        ("log", 4, 9),
        ("read",),
    ]
)
def test_every_byte_is_shown_once_and_in_order(runner: asyncio.Runner, steps: list[Any]) -> None:
    runner.run(play(steps))


async def play(steps: list[Any]) -> None:
    """A worker, its log, jobd and jobctl. The connection or jobd may break off at any time."""
    out, err = Pipe(), Pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        printed: dict[StreamName, bytes] = {"stdout": b"", "stderr": b""}
        logged: dict[StreamName, int] = {"stdout": 0, "stderr": 0}
        stored: list[RawLine] = []
        output, printer = LiveOutput(0, lambda: None), Printer()
        seen: dict[StreamName, int] = {}
        shown = 0

        def log(count: int, longest: int, *, end: bool = False) -> None:
            """Stores lines that have ended, or all at the end; longer ones in parts."""
            lines: list[RawLine] = []
            for stream, whole in printed.items():
                while (rest := whole[logged[stream] :]) and (len(lines) < count or end):
                    ends = rest.find(b"\n") + 1
                    if not 0 < ends <= longest and len(rest) > longest:
                        lines.append(line(rest[:longest], stream, partial=True))
                        logged[stream] += longest
                    elif ends or end:
                        lines.append(line(rest[: ends or None], stream))
                        logged[stream] += ends or len(rest)
                    else:
                        break
            if lines:
                output.stored(lines, len(stored) + 1, len(stored) + len(lines))
                stored.extend(lines)

        def read() -> None:
            nonlocal shown
            batch = [
                Frame(seq=n + 1, stream=each.stream, line=each.text, raw=each.raw, partial=each.partial,
                      unterminated=each.newline is False and not each.partial)
                for n, each in enumerate(stored) if n >= shown
            ]  # fmt: skip
            shown = len(stored)
            for part in output.unfinished(shown, seen):
                seen[part.stream] = part.end_offset
                batch.append(Frame(unfinished=Shown(stream=part.stream, at=part.at, raw=part.data)))
            printer.show(batch)
            for pipe, stream in ((out, "stdout"), (err, "stderr")):
                assert printed[stream].startswith(pipe.buffer.getvalue())  # type: ignore[index]

        for step in steps:
            match step:
                case ("print", stream, data):
                    printed[stream] += data
                    output.append(stream, data)
                    await flushed()
                case ("log", count, longest):
                    log(count, longest)
                case ("read",):
                    read()
                case ("reconnect",):
                    seen = {}
                case ("restart",):
                    output.close()
                    output, seen = LiveOutput(None, lambda: None), {}
        log(0, 9, end=True)
        read()
        output.close()
    assert out.buffer.getvalue() == printed["stdout"]
    assert err.buffer.getvalue() == printed["stderr"]
