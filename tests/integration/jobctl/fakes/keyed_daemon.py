"""A fake daemon on TCP that needs an API key."""

import asyncio
import threading
from typing import Any

from aiohttp import web

from tests.integration.jobctl.fakes.fake_daemon import DEADLINE_S


class KeyedDaemon:
    """Answers `GET /v1/jobs` over TCP, only with the right key."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/jobs", self._list)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _list(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer s3cret":
            return web.json_response(
                {"error": "the key is missing or wrong", "code": "unauthorized"}, status=401
            )
        return web.json_response({"jobs": []})

    def run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE_S)

    def close(self) -> None:
        self.run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()
