"""Whether the log has the whole output: only if both have the same bytes, from the worker's start to the connection's end."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.log.live_output import LIVE_BYTES, LiveOutput
from jobd.jobs.port.model import RawLine, StreamName

WAITS_S = 3600.0
"""Longer than a test may take: a test with it fails where it would wait."""


class Worker:
    """What a worker printed as the connection brings it, and as the log brings it."""

    def __init__(self, seq: int | None = 0) -> None:
        self.output = LiveOutput(seq, lambda: None)
        self.seq = 0

    def log(self, *lines: RawLine) -> None:
        first, self.seq = self.seq + 1, self.seq + len(lines)
        self.output.stored(lines, first, self.seq)


def line(text: str, stream: StreamName = "stdout", **more: Any) -> RawLine:
    return RawLine(stream, "t", text, **more)


async def test_an_output_without_a_byte_is_in_the_log_once_the_connection_ends() -> None:
    one = Worker()
    assert await one.output.is_in_log(0) is False
    one.output.end_connection()
    assert await one.output.is_in_log(WAITS_S) is True


@pytest.mark.parametrize("log_first", [True, False])
async def test_the_log_and_the_connection_may_come_in_any_order(log_first: bool) -> None:
    one = Worker()
    if log_first:
        one.log(line("a"), line("b", "stderr"))
    one.output.append("stdout", b"a\n")
    one.output.append("stderr", b"b\n")
    one.output.end_connection()
    waiting = asyncio.create_task(one.output.is_in_log(WAITS_S))
    await asyncio.sleep(0)
    if not log_first:
        assert not waiting.done()
        one.log(line("a"))
        await asyncio.sleep(0)
        assert not waiting.done(), "the other stream is not in the log"
        one.log(line("b", "stderr"))
    assert await waiting is True


async def test_a_last_line_without_a_newline_is_not_waited_for() -> None:
    one = Worker()
    one.output.append("stdout", b"a\nrest")
    one.log(line("a"))
    one.output.end_connection()
    assert await one.output.is_in_log(WAITS_S) is False, "a followed log holds such a line back"


@pytest.mark.parametrize(
    "fault",
    [
        lambda one: one.log(line("other")),
        lambda one: one.log(line("a"), line("b")),
        lambda one: one.log(line("a", gap="the engine dropped lines")),
        lambda one: one.output.lose(),
        lambda one: one.output.close(),
    ],
)  # fmt: skip
async def test_a_difference_is_not_waited_for(fault: Any) -> None:
    one = Worker()
    one.output.append("stdout", b"a\n")
    one.output.end_connection()
    fault(one)
    assert await one.output.is_in_log(WAITS_S) is False


async def test_equal_sizes_are_not_enough() -> None:
    """The log is ahead of the output, so that there is nothing to compare its first line with."""
    one = Worker()
    one.log(line(""))
    one.output.append("stdout", b"a\na\n")
    one.log(line(""), line("a"))
    one.output.end_connection()
    assert await one.output.is_in_log(WAITS_S) is False


async def test_an_output_that_is_not_known_from_the_start_is_not_in_the_log() -> None:
    one = Worker(seq=None)
    one.output.lose()
    one.output.end_connection()
    assert await one.output.is_in_log(WAITS_S) is False


async def test_lines_that_do_not_come_are_waited_for_no_longer_than_the_limit() -> None:
    one = Worker()
    one.output.append("stdout", b"a\n")
    one.output.end_connection()
    assert await one.output.is_in_log(0.01) is False


async def test_bytes_that_the_buffer_has_dropped_are_counted() -> None:
    one = Worker()
    count = LIVE_BYTES // 8
    for _ in range(count):
        one.output.append("stdout", b"0123456789abcde\n")
    one.output.end_connection()
    one.log(*[line("0123456789abcde")] * (count - 1))
    assert await one.output.is_in_log(0) is False
    one.log(line("0123456789abcde"))
    assert await one.output.is_in_log(WAITS_S) is True


texts = st.lists(st.sampled_from(["", "a", "b", "aa"]), max_size=5)


@settings(max_examples=200, deadline=None)
@given(st.data(), texts, texts)
def test_only_a_log_with_exactly_the_output_is_whole(
    data: st.DataObject, printed: list[str], logged: list[str]
) -> None:
    """`logged` stands for a log that has lost, doubled or changed lines; half of the time it is the output."""
    if data.draw(st.booleans()):
        logged = printed
    steps = data.draw(
        st.permutations([*[("print", text) for text in printed], *[("log", text) for text in logged]])
    )

    async def play() -> bool:
        one, prints, logs = Worker(), iter(printed), iter(logged)
        for kind, _ in steps:
            if kind == "print":
                one.output.append("stdout", next(prints).encode() + b"\n")
            else:
                one.log(line(next(logs)))
        one.output.end_connection()
        return await one.output.is_in_log(0.01)

    assert asyncio.run(play()) is (printed == logged)
