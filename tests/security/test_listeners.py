"""Idle connections: slow headers, more connections than a listener allows, and the access to the metrics port."""

import asyncio
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from jobd.process import listeners
from tests.support.daemon import Answer, Daemon, until
from tests.support.wire import connect, exchange, head, over_unix

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}
LIMIT_S = 60


async def serving(most: int) -> tuple[web.AppRunner, listeners.BoundedSite, int]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = listeners.runner_of(app, 0)
    await runner.setup()
    sock = listeners.tcp_listener("127.0.0.1", 0, "PORT")
    site = listeners.BoundedSite(runner, sock, most, None)
    await site.start()
    return runner, site, listeners.address_of(sock)[1]


async def asks(port: int) -> bytes:
    """One request on its own connection; empty where the connection was closed without a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: "])
async def test_slow_or_missing_headers_end_the_connection(
    monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(listeners, "HEAD_LIMIT_S", 0.3)
    runner, site, port = await serving(8)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        writer.write(start)
        while start:
            writer.write(b"X")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(LIMIT_S):
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                pass  # closed with bytes in flight
            while site.open:
                await asyncio.sleep(0.01)
    finally:
        dripping.cancel()
        writer.close()
        await runner.cleanup()


async def test_a_listener_limits_its_connections() -> None:
    runner, site, port = await serving(3)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    try:
        async with asyncio.timeout(LIMIT_S):
            while site.open < 3:
                await asyncio.sleep(0.01)
            assert await asks(port) == b""
            held.pop()[1].close()
            while site.open == 3:
                await asyncio.sleep(0.01)
            assert (await asks(port)).startswith(b"HTTP/1.1 200")
            while site.open > 2:
                await asyncio.sleep(0.01)
    finally:
        for _, writer in held:
            writer.close()
        await runner.cleanup()


def test_a_full_port_does_not_block_other_listeners(make_daemon: Callable[..., Daemon]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        daemon = make_daemon(environ=NO_ENGINE).start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    waiting: list[socket.socket] = []
    try:
        for _ in range(200):
            waiting.append(connect(daemon))
        for _ in range(20):
            assert over_unix(daemon.socket, "GET", "/v1/jobs").status == 200
        assert metrics(daemon).status == 200
    finally:
        for sock in waiting:
            sock.close()

    def answers() -> bool:
        try:
            return daemon.call("GET", "/livez").status == 200
        except OSError:
            return False

    until(answers, "the port answers again")


def metrics(daemon: Daemon, **headers: str) -> Answer:
    at = urlsplit(daemon.metrics)
    there = Daemon(daemon.folder, http=f"http://{at.netloc}")
    return exchange(there, head("GET", "/metrics", **headers))


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://evil.example"}],
)
def test_web_pages_cannot_read_the_metrics(
    make_daemon: Callable[..., Daemon], headers: dict[str, str], tmp_path: Path
) -> None:
    daemon = make_daemon(environ=NO_ENGINE).start()
    assert metrics(daemon).status == 200
    refused = metrics(daemon, **headers)
    assert refused.status == 403
    assert b"jobs_total" not in refused.body
