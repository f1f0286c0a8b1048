"""What the Kubernetes adapter holds in memory is bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import ContainerFacts, ContainerState, StartFate
from jobd.kubernetes.background import MOST, Background
from jobd.kubernetes.http.channels import CHUNK, ERROR, STDOUT, Channels, exit_code
from jobd.kubernetes.http.client import _read
from jobd.kubernetes.pods.api import OUTPUT_BYTES, PAGE, PodApi
from jobd.kubernetes.pods.ends import REMEMBERED, Ends

END = ContainerFacts("w", ContainerState.ENDED, 1, exit_code=3)
SUCCESS = b'{"status":"Success"}'


class Socket:
    """A WebSocket with these messages."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = messages

    async def __aiter__(self) -> AsyncIterator[aiohttp.WSMessage]:
        for data in self._messages:
            yield aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, data, None)


def channels(*messages: bytes) -> Channels:
    socket: Any = Socket(*messages)
    return Channels(socket)


async def test_work_for_ended_jobs_is_bounded() -> None:
    background, runs = Background(), []

    async def work() -> None:
        runs.append(1)
        await asyncio.sleep(3600)

    for number in range(MOST + 5):
        background.start(str(number), work)
        background.start(str(number), work)
    await asyncio.sleep(0)
    await background.close()
    assert len(runs) == MOST


async def test_what_a_short_command_prints_is_cut() -> None:
    class Printing(PodApi):
        @asynccontextmanager
        async def execute(self, *args: Any, **kwargs: Any) -> AsyncIterator[Channels]:
            yield channels(*[bytes((STDOUT,)) + b"x" * CHUNK] * 9, bytes((ERROR,)) + SUCCESS)

    client: Any = None
    code, said = await Printing(client, "test").run("p", "c", "yes")
    assert (code, len(said)) == (0, OUTPUT_BYTES)


async def test_the_result_of_a_command_is_cut() -> None:
    found = channels(*[bytes((ERROR,)) + b"x" * CHUNK] * 9)
    assert [one async for one in found.output()] == []
    assert len(found.error) == CHUNK
    assert exit_code(found.error) is None


async def test_a_connection_that_breaks_before_the_result_is_said() -> None:
    with pytest.raises(EngineUnavailable):
        async for _ in channels(bytes((STDOUT,)) + b"x").output():
            pass


async def test_an_answer_that_is_too_long_is_refused() -> None:
    class Response:
        content: Any

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 10

    response: Any = Response()
    response.content = type("Content", (), {"iter_chunked": staticmethod(chunks)})
    assert await _read(response, 50) == b"x" * 50
    with pytest.raises(EngineUnavailable, match="longer than 49 bytes"):
        await _read(response, 49)


async def test_a_list_is_read_page_by_page() -> None:
    asked: list[dict[str, str]] = []

    class Client:
        pods = "/pods"

        async def call(self, name: str, method: str, path: str, *, params: dict[str, str]) -> bytes:
            asked.append(dict(params))
            item = {"metadata": {"name": f"p{len(asked)}"}}
            more = {"continue": "next"} if len(asked) < 3 else {}
            return msgspec.json.encode({"metadata": {"resourceVersion": "7", **more}, "items": [item]})

    client: Any = Client()
    pods, version = await PodApi(client, "test").listed("a=b")
    assert ([pod.metadata.name for pod in pods], version) == (["p1", "p2", "p3"], "7")
    assert [one.get("continue") for one in asked] == [None, "next", "next"]
    assert {one["limit"] for one in asked} == {str(PAGE)}


def test_the_ends_of_removed_pods_are_bounded() -> None:
    ends = Ends()
    for number in range(REMEMBERED + 1):
        ends.remember(str(number), END if number % 2 else None)
    assert ends.fate("0") == StartFate("unknown")
    assert ends.fate("1") == StartFate("began", END)
    assert ends.fate("2") == StartFate("never")
