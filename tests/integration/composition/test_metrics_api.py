"""The metrics' own application: a text that takes long to make holds up nothing else, and has the numbers of one moment."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from jobd.composition.api import build_metrics_api
from jobd.settings.config import from_mapping

DEADLINE_S = 10.0


class SlowMetrics:
    """Makes its text once it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def render(self) -> bytes:
        self.begun.set()
        return b"in time" if self.may_end.wait(DEADLINE_S) else b"the event loop was held up"


class Scrapes:
    """A running application, its calls of `before_scrape`, and the requests that have reached its handler."""

    def __init__(self, session: aiohttp.ClientSession, url: str, slow: SlowMetrics) -> None:
        self.arrived = 0
        self.counted_during_text: list[bool] = []
        self._session, self._url, self._slow = session, url, slow

    async def count(self) -> None:
        self.counted_during_text.append(self._slow.begun.is_set() and not self._slow.may_end.is_set())

    async def scrape(self) -> bytes:
        async with self._session.get(self._url) as response:
            return await response.read()


@asynccontextmanager
async def served(port: int, slow: SlowMetrics) -> AsyncIterator[Scrapes]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(2 * DEADLINE_S):
        scrapes = Scrapes(session, f"http://127.0.0.1:{port}/metrics", slow)
        metrics: Any = slow
        app = build_metrics_api(from_mapping({}), metrics, scrapes.count)

        @web.middleware
        async def arrive(request: web.Request, handler: Handler) -> web.StreamResponse:
            scrapes.arrived += 1
            return await handler(request)

        app.middlewares.append(arrive)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield scrapes
        finally:
            slow.may_end.set()
            await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_the_event_loop_goes_on_while_the_text_is_made(unused_tcp_port: int) -> None:
    slow = SlowMetrics()
    async with served(unused_tcp_port, slow) as scrapes:
        text = asyncio.ensure_future(scrapes.scrape())
        await until(slow.begun.is_set)
        slow.may_end.set()
        assert await text == b"in time"


async def test_the_gauges_do_not_change_while_a_text_is_made(unused_tcp_port: int) -> None:
    slow = SlowMetrics()
    async with served(unused_tcp_port, slow) as scrapes:
        first = asyncio.ensure_future(scrapes.scrape())
        await until(slow.begun.is_set)
        second = asyncio.ensure_future(scrapes.scrape())
        await until(lambda: scrapes.arrived == 2)
        slow.may_end.set()
        assert list(await asyncio.gather(first, second)) == [b"in time"] * 2
    assert scrapes.counted_during_text == [False, False]
