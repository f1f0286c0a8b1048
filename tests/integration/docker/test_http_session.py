"""Which calls are retried when the engine's connection breaks before an answer.

aiohttp itself asks a GET twice, without a pause; three tries are six requests.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobd.docker.http.endpoint import endpoint
from jobd.docker.http.errors import ServerError
from jobd.docker.http.http_session import HttpSession, Timeouts
from jobd.jobs.port.errors import EngineUnavailable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
FULL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"


class BreakingEngine:
    """Ends the first `breaks` requests without an answer, then gives `answer`."""

    def __init__(self, breaks: int, answer: bytes) -> None:
        self.requests, self._breaks, self._answer = 0, breaks, answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self.requests > self._breaks:
            writer.write(self._answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[HttpSession]:
    made = HttpSession(endpoint({"DOCKER_HOST": f"unix://{tmp_path}/engine.sock"}), Timeouts())
    yield made
    await made.close()


async def asked(session: HttpSession, folder: Path, engine: BreakingEngine, *, again: bool) -> bytes:
    server = await asyncio.start_unix_server(engine.serve, folder / "engine.sock")
    async with server, session.open("GET", "/archive", silence_s=5, again=again) as body:
        return await body.read(100)


async def test_a_call_that_repeats_safely_is_tried_three_times(session: HttpSession, tmp_path: Path) -> None:
    engine = BreakingEngine(5, OK)
    assert await asked(session, tmp_path, engine, again=True) == b"fine"
    assert engine.requests == 6


@pytest.mark.parametrize(("breaks", "again", "requests"), [(2, False, 2), (6, True, 6)])
async def test_other_calls_and_longer_faults_are_not_retried(
    session: HttpSession, tmp_path: Path, breaks: int, again: bool, requests: int
) -> None:
    engine = BreakingEngine(breaks, OK)
    with pytest.raises(EngineUnavailable):
        await asked(session, tmp_path, engine, again=again)
    assert engine.requests == requests


async def test_a_call_is_not_retried_after_an_answer(session: HttpSession, tmp_path: Path) -> None:
    engine = BreakingEngine(0, FULL)
    with pytest.raises(ServerError):
        await asked(session, tmp_path, engine, again=True)
    assert engine.requests == 1
