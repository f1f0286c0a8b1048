"""The dialogue with a sandbox's program, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from jobd.docker.sandboxes import sandbox as module
from jobd.docker.sandboxes.network_state import LONGEST_REPORT
from jobd.docker.sandboxes.sandbox import Sandbox
from jobd.jobs.port.errors import EngineUnavailable
from tests.unit.jobd.docker.sandboxes.test_network_state import EMPTY

Program = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
Open = Callable[[Program], Coroutine[Any, Any, Sandbox]]


def frame(text: str) -> bytes:
    data = text.encode()
    return b"\x01\0\0\0" + len(data).to_bytes(4, "big") + data


@pytest.fixture
async def open_sandbox() -> AsyncIterator[Open]:
    """Returns a sandbox whose program is a function of this test."""
    servers: list[asyncio.Server] = []
    made: list[Sandbox] = []

    async def open_one(program: Program) -> Sandbox:
        server = await asyncio.start_server(program, "127.0.0.1", 0)
        servers.append(server)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        made.append(Sandbox("c1", reader, writer))
        made[-1].follow(lambda ended: None)
        return made[-1]

    yield open_one
    for one in made:
        await one.close()
    for server in servers:
        server.close()


async def test_a_report_in_any_pieces_is_read(open_sandbox: Open) -> None:
    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            for byte in frame(EMPTY):
                writer.write(bytes([byte]))
                await writer.drain()
        writer.close()

    sandbox = await open_sandbox(program)
    assert await sandbox.report() == await sandbox.report()


async def test_a_report_that_is_too_long_is_no_report(open_sandbox: Open) -> None:
    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for _ in range(LONGEST_REPORT // 1000 + 1):
            writer.write(frame("x" * 999 + "\n"))
        writer.write(frame("\n.\n"))
        await reader.read()
        writer.close()

    sandbox = await open_sandbox(program)
    with pytest.raises(EngineUnavailable, match="gave no report"):
        await sandbox.report()
    assert len(sandbox._received) <= LONGEST_REPORT


@pytest.mark.parametrize("last", [b"", b"not a frame of the engine"])
async def test_a_sandbox_that_ends_gives_no_report(open_sandbox: Open, last: bytes) -> None:
    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(last)
        writer.close()

    sandbox = await open_sandbox(program)
    with pytest.raises(EngineUnavailable):
        await sandbox.report()
    assert sandbox.has_ended
    with pytest.raises(EngineUnavailable):
        await sandbox.lease()


async def test_a_silent_sandbox_gives_no_report(open_sandbox: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_LIMIT_S", 0.05)

    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    sandbox = await open_sandbox(program)
    with pytest.raises(EngineUnavailable, match="gave no report"):
        await sandbox.report()
