"""Requests to an API server: streams that stay open keep no call waiting, and no more calls are made at once than the bound."""

import asyncio
from contextlib import AsyncExitStack

from aiohttp import web
from aiohttp.test_utils import TestServer

from jobd.clock import SystemClock
from jobd.kubernetes.http.client import CALLS_AT_ONCE, Client
from jobd.kubernetes.http.kubeconfig import Access


class ApiServer:
    """Answers `/stream` without an end, and `/call` once `go` is set. `most`: how many calls it had at once."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.now = self.most = 0
        self.ended = asyncio.Event()
        app = web.Application()
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/call", self._call)
        self.server = TestServer(app)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"open")
        await self.ended.wait()
        return response

    async def _call(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.wait()
        self.now -= 1
        return web.Response(body=b"{}")


async def test_open_streams_keep_no_call_waiting_and_calls_are_bounded() -> None:
    api = ApiServer()
    await api.server.start_server()
    client = Client(Access(str(api.server.make_url("")).rstrip("/"), "jobs", "test"), SystemClock())
    try:
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            for _ in range(CALLS_AT_ONCE + 1):
                stream = await stack.enter_async_context(client.stream("/stream", {}, silence_s=None))
                assert await stream.readexactly(4) == b"open"
            calls = [
                asyncio.create_task(client.call("a-call", "GET", "/call")) for _ in range(2 * CALLS_AT_ONCE)
            ]
            while api.now < CALLS_AT_ONCE:
                await asyncio.sleep(0.01)
            api.go.set()
            assert await asyncio.gather(*calls) == [b"{}"] * len(calls)
            assert api.most == CALLS_AT_ONCE
            api.ended.set()
    finally:
        api.ended.set()
        await client.close()
        await api.server.close()
