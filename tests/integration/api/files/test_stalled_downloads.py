"""Stalled downloads of files: jobd's memory for all of them is bounded in bytes."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from jobd.api import memory
from jobd.api.context import CONTEXT
from jobd.api.endpoints import streams
from jobd.api.middleware import each_request
from jobd.budget import ByteBudget

PART_BYTES = 1 << 20
DEADLINE_S = 60.0


class Files:
    """Jobs with endless files, in parts as large as those of the engine's stream. Counts the started downloads."""

    def __init__(self) -> None:
        self.begun = 0

    async def open_files(self, job_id: str, path: str) -> AsyncIterator[bytes]:
        self.begun += 1

        async def source() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * PART_BYTES

        return source()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
async def port(files: Files, unused_tcp_port: int) -> AsyncIterator[int]:
    app = web.Application(middlewares=[each_request()])
    context: Any = SimpleNamespace(jobs=files, copies=ByteBudget(8 * memory.COPY_BYTES))
    app[CONTEXT] = context
    app[streams.FOLLOWERS] = set()
    app.router.add_get("/v1/jobs/{id}/files", streams.files)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield unused_tcp_port
    await runner.cleanup()


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Requests files and reads almost nothing: the reader's own buffer limit stops it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /v1/jobs/a/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return reader, writer


async def test_stalled_downloads_share_a_budget(port: int, files: Files) -> None:
    tracemalloc.start()
    try:
        clients = [await ask(port) for _ in range(40)]
        async with asyncio.timeout(DEADLINE_S):
            while files.begun < 8:
                await asyncio.sleep(0.01)
        for _ in range(200):
            await asyncio.sleep(0.001)
        gc.collect()
        assert files.begun == 8
        assert tracemalloc.get_traced_memory()[0] < 8 * memory.COPY_BYTES + 40 * 100_000
    finally:
        tracemalloc.stop()
    for _, writer in clients[:8]:
        writer.close()
    async with asyncio.timeout(DEADLINE_S):
        while files.begun < 16:  # waiting downloads start when others end
            await asyncio.sleep(0.01)
    for _, writer in clients:
        writer.close()


async def test_a_download_beyond_the_budget_is_refused_with_retry_after(
    port: int, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobd.api.memory.WAIT_LIMIT_S", 0.05)
    clients = [await ask(port) for _ in range(8)]
    async with asyncio.timeout(DEADLINE_S):
        while files.begun < 8:
            await asyncio.sleep(0.01)
    reader, writer = await ask(port)
    async with asyncio.timeout(DEADLINE_S):
        assert b" 503 " in await reader.readline()
        assert b'"busy"' in await reader.read()
    for _, one in [*clients, (reader, writer)]:
        one.close()
