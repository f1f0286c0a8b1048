"""The metrics' own application: a text that takes long to make holds up nothing else."""

import asyncio
import threading
from typing import Any

import aiohttp
from aiohttp import web

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


async def test_the_event_loop_goes_on_while_the_text_is_made(unused_tcp_port: int) -> None:
    slow = SlowMetrics()
    metrics: Any = slow

    async def before_scrape() -> None:
        return None

    runner = web.AppRunner(build_metrics_api(from_mapping({}), metrics, before_scrape))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        async with aiohttp.ClientSession() as session:
            scrape = asyncio.create_task(session.get(f"http://127.0.0.1:{unused_tcp_port}/metrics"))
            async with asyncio.timeout(DEADLINE_S):
                while not slow.begun.is_set():
                    await asyncio.sleep(0.001)
            slow.may_end.set()
            assert await (await scrape).read() == b"in time"
    finally:
        await runner.cleanup()
