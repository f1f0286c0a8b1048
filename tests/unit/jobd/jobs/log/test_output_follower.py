"""Following a worker's output: an error of the engine never fails the job, and an unknown end counts as a newline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jobd.jobs.log import output_follower
from jobd.jobs.log.live_output import FLUSH_DELAY_S, LiveOutputs
from jobd.jobs.log.output_follower import OutputFollower
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef, RawLine, StreamName

REF = JobRef("u", "a")
LAST = RawLine("stdout", "t", "x" * 20_000, newline=None)


class Engine:
    """The worker prints `pieces` once `go` is set; then the output ends, or breaks off. The engine may refuse, or not respond."""

    def __init__(
        self, *pieces: bytes, breaks: bool = False, refuses: bool = False, hangs: bool = False
    ) -> None:
        self.go = asyncio.Event()
        self.open = 0
        self._pieces, self._breaks, self._refuses, self._hangs = pieces, breaks, refuses, hangs

    @asynccontextmanager
    async def output(self, ref: JobRef) -> AsyncIterator["Engine"]:
        assert ref == REF
        if self._refuses:
            raise EngineUnavailable("away")
        if self._hangs:
            await asyncio.Event().wait()
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    async def pieces(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        await self.go.wait()
        for piece in self._pieces:
            yield "stdout", piece

    async def check_end(self) -> None:
        if self._breaks:
            raise EngineUnavailable("broke")


def follower(engine: Engine, outputs: LiveOutputs | None = None) -> OutputFollower:
    given: Any = engine
    return OutputFollower(given, outputs or LiveOutputs(), lambda: REF, lambda uid: None)


async def end_of(engine: Engine, *, attached_late: bool = False) -> bool | None:
    one = follower(engine)
    await (one.attach_late() if attached_late else one.attach(0))
    engine.go.set()
    try:
        (line,) = await one.resolve_newlines([LAST])
        return line.newline
    finally:
        await one.stop()


@pytest.mark.parametrize("attached_late", [False, True])
async def test_a_last_line_ends_as_the_output_ended(attached_late: bool) -> None:
    assert await end_of(Engine(b"x" * 20_000), attached_late=attached_late) is False
    assert await end_of(Engine(b"x" * 20_000, b"\n"), attached_late=attached_late) is True


async def test_an_unknown_end_is_a_newline_after_text_alone() -> None:
    zeros = RawLine("stdout", "t", "\0" * 20_000, newline=None)
    binary = RawLine("stdout", "t", "�" * 20_000, raw=b"\xff" * 20_000, newline=None)
    lines = await follower(Engine()).resolve_newlines([LAST, zeros, binary])
    assert [line.newline for line in lines] == [True, False, False]


async def test_an_unknown_end_is_a_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_follower, "END_LIMIT_S", 0.01)
    monkeypatch.setattr(output_follower, "ATTACH_LIMIT_S", 0.01)
    assert (await follower(Engine()).resolve_newlines([LAST]))[0].newline is True, "never followed"
    for engine in (
        Engine(b"x" * 20_000, breaks=True),
        Engine(b"other"),
        Engine(refuses=True),
        Engine(hangs=True),
    ):
        assert await end_of(engine) is True
    hung = Engine(b"x" * 20_000)
    one = follower(hung)
    await one.attach(0)
    assert (await one.resolve_newlines([LAST]))[0].newline is True, "the output does not end"
    await one.stop()


async def test_lines_with_a_known_end_do_not_wait() -> None:
    one = follower(Engine())
    await one.attach(0)
    lines = [
        RawLine("stdout", "t", "a"),
        RawLine("stdout", "t", "b", newline=False),
    ]
    assert await one.resolve_newlines(lines) is lines
    await one.stop()


async def test_an_output_is_registered_while_it_is_followed() -> None:
    outputs, engine = LiveOutputs(), Engine(b"a")
    one = follower(engine, outputs)
    await one.attach(0)
    first = outputs.of("u")
    await one.attach_late()
    assert outputs.of("u") is first is not None, "the output is followed already"
    await one.attach(3)
    assert outputs.of("u") is not first
    assert (first.ended.is_set(), engine.open) == (True, 1)
    await one.stop()
    assert (outputs.of("u"), engine.open) == (None, 0)
    await one.stop()


async def test_an_output_that_ends_while_the_worker_runs_shows_nothing_unfinished() -> None:
    engine, outputs = Engine(b"a"), LiveOutputs()
    one = follower(engine, outputs)
    await one.attach(0)
    output = outputs.of("u")
    assert output is not None
    engine.go.set()
    async with asyncio.timeout(60):
        await output.ended.wait()
    await one.attach_late()
    output.append("stdout", b"b")
    await asyncio.sleep(2 * FLUSH_DELAY_S)
    assert list(output.unfinished(0, {})) == []
    await one.stop()


async def test_a_closed_output_is_not_read_on() -> None:
    outputs, engine = LiveOutputs(), Engine(b"a" * 1000, b"b" * 1000)
    one = follower(engine, outputs)
    await one.attach(0)
    output = outputs.of("u")
    assert output is not None
    output.close()
    engine.go.set()
    async with asyncio.timeout(60):
        while engine.open:
            await asyncio.sleep(0)
    assert output.held_bytes == 0
    await one.stop()
