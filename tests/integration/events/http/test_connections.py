"""Connections over real sockets: kept, bounded, closed when the receiver closes them, TLS, and a machine without descriptors."""

import asyncio
import resource
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jobd.clock import SystemClock
from jobd.events.delivery.policies.response_policy import Answer, host_after
from jobd.events.http import connections
from jobd.events.http.connections import Connections, Origin
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender

POLICY = EgressPolicy(EgressRule())
REQUEST = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def made(most: int) -> AsyncIterator[Connections]:
    opened = Connections(POLICY, most)
    yield opened
    await opened.close()


def origin(url: str, host: str = "127.0.0.1") -> Origin:
    return Origin(False, host, int(url.split(":")[2].split("/")[0]))


async def exchange(pool: Connections, at: Origin) -> int:
    connection = pool.take(at) or await pool.open(at)
    try:
        return (await connection.exchange(REQUEST, 5)).status
    finally:
        pool.give_back(at, connection)


async def test_no_more_connections_than_allowed_stay_open(receivers: Any) -> None:
    origins = [origin((await receivers()).url) for _ in range(6)]
    async with made(2) as pool:
        for _ in range(2):
            for at in origins:
                assert await exchange(pool, at) == 204
        kept = [at for at in origins if pool.take(at)]
    assert kept == origins[-2:]


async def test_no_more_receivers_than_connections_are_remembered(receivers: Any) -> None:
    urls = [(await receivers()).url for _ in range(8)]
    async with made(2) as pool:
        for url in [*urls, *urls]:
            assert await exchange(pool, origin(url)) == 204
            assert len(pool._idle) <= 2
        held = pool.take(origin(urls[-1]))
        assert held is not None
        assert len(pool._idle) <= 1
        pool.give_back(origin(urls[-1]), held)


async def test_an_idle_connection_is_closed(
    receivers: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    at = origin((await receivers()).url)
    async with made(4) as pool:
        assert await exchange(pool, at) == 204
        kept = pool.take(at)
        assert kept is not None
        pool.give_back(at, kept)
        await until(lambda: not kept.reusable)
        assert pool.take(at) is None


async def test_a_connection_that_the_receiver_closes_is_not_used_again(raw: Any, until: Any) -> None:
    opened = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # then the connection ends

    at = origin(await raw(once))
    async with made(4) as pool:
        assert await exchange(pool, at) == 204
        await until(lambda: pool.take(at) is None)
        assert await exchange(pool, at) == 204
    assert opened == 2


async def test_a_name_with_a_dead_address_still_reaches_the_live_one(receivers: Any) -> None:
    url = (await receivers()).url
    async with made(4) as pool:

        async def both(host: str, port: int) -> list[str]:
            return ["::1", "127.0.0.1"]

        pool._resolver.resolve = both  # type: ignore[method-assign]
        assert await exchange(pool, origin(url, "two.example")) == 204


async def test_lack_of_descriptors_is_not_the_receivers_failure(receivers: Any) -> None:
    receiver = await receivers()
    async with Sender(POLICY, SystemClock()) as sender:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with Path("/dev/null").open() as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), hard))
        try:
            answer = await sender.send(receiver.url, None, "e-1", b"[]", batch=True)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (answer.kind, host_after(answer)) == ("local", "unknown")
        assert (await sender.send(receiver.url, None, "e-1", b"[]", batch=True)).status == 204


async def test_credentials_in_the_url_are_sent_as_such(receivers: Any) -> None:
    receiver = await receivers()
    async with Sender(POLICY, SystemClock()) as sender:
        url = receiver.url.replace("http://", "http://ann:p%40ss@")
        assert (await sender.send(url, None, "e-1", b"[]", batch=True)).status == 204
    assert receiver.got[0].headers["Authorization"] == "Basic YW5uOnBAc3M="


async def test_a_header_cannot_be_broken(receivers: Any) -> None:
    receiver = await receivers()
    async with Sender(POLICY, SystemClock()) as sender:
        answer = await sender.send(receiver.url, None, "e-1\r\nX-Evil: 1", b"[]", batch=True)
    assert answer.kind == "invalid"
    assert receiver.got == []


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A receiver's certificate for `localhost`, which this process trusts."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is needed: apt-get install openssl"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", "key.pem", "-out", "cert.pem")
    subprocess.run(
        [openssl, "req", "-x509", *curve, *names, *files], cwd=tmp_path, check=True, capture_output=True
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    connections._trusting.cache_clear()
    yield context
    connections._trusting.cache_clear()


async def test_certificates_are_checked_against_the_name(certificate: ssl.SSLContext) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client disconnected
        finally:
            writer.close()

    server = await asyncio.start_server(quiet, "127.0.0.1", 0, ssl=certificate)
    port = server.sockets[0].getsockname()[1]
    async with Sender(POLICY, SystemClock(), timeout_s=5) as sender:

        async def send(url: str) -> Answer:
            return await sender.send(url, None, "e-1", b"[]", batch=True)

        for _ in range(2):
            assert (await send(f"https://localhost:{port}/hook")).status == 204
        other = await send(f"https://127.0.0.1:{port}/hook")
        assert other.kind == "network"
        assert "certificate" in other.text
        plain = await send(f"http://127.0.0.1:{port}/hook")
        assert plain.kind == "network"
    server.close()
