"""One request over real sockets: the sent bytes, and the result of every bad answer."""

import asyncio
import json
import socket
import struct
from typing import Any

import pytest
from aiohttp import web
from cloudevents.v1.http import from_http
from standardwebhooks.webhooks import Webhook

from jobd.clock import SystemClock
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.http import sender as sender_module
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.wire.event import ARTIFACT
from jobd.wire.signing import verify_256
from tests.integration.events.http.conftest import BODY, KEY


async def test_an_event_arrives_whole_signed_and_readable_by_others(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    assert await sender.send(receiver.url + "?a=b%20c", KEY, "e-1", BODY) == Answer("answer", 204)
    (got,) = receiver.got
    assert (got.path, got.body) == ("/hook?a=b%20c", BODY)
    assert Webhook(KEY).verify(got.body.decode(), {k.lower(): v for k, v in got.headers.items()})
    assert verify_256(KEY, got.body, got.headers["X-Signature-256"])
    event = from_http(got.headers, got.body)
    assert (event["id"], event["type"], event["subject"], event["jobsequence"]) == (
        "e-1",
        ARTIFACT,
        "job-1",
        3,
    )
    assert event.data["content"]["big"] == 2**80
    assert got.headers["Ce-Id"] == "e-1"
    assert got.headers["Content-Type"] == "application/cloudevents+json"
    assert got.headers["User-Agent"] == "jobd"
    assert "Cookie" not in got.headers


async def test_without_a_key_nothing_is_signed(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    await sender.send(receiver.url, None, "e-1", BODY)
    headers = receiver.got[0].headers
    assert "X-Signature-256" not in headers
    assert "Webhook-Signature" not in headers
    assert headers["Webhook-Id"] == "e-1"


async def test_a_plain_key_signs_as_its_text(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    await sender.send(receiver.url, "plain", "e-1", BODY)
    assert verify_256("plain", BODY, receiver.got[0].headers["X-Signature-256"])


async def test_redirects_are_not_followed_and_cookies_not_kept(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()

    def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/other", "Set-Cookie": "a=b; Path=/"})

    receiver.answer = redirect
    for _ in range(2):
        assert (await sender.send(receiver.url, KEY, "e-1", BODY)).status == 302
    assert [got.path for got in receiver.got] == ["/hook", "/hook"]
    assert all("Cookie" not in got.headers for got in receiver.got)


async def test_proxy_variables_are_ignored(receivers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    receiver = await receivers()
    async with Sender(EgressPolicy(EgressRule()), SystemClock()) as sender:
        assert (await sender.send(receiver.url, KEY, "e-1", BODY)).status == 204


async def test_an_error_quotes_the_receivers_answer(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    receiver.answer = lambda request: web.Response(
        status=415, text="only\nXML \x1b[31m" + "x" * 9000, headers={"Retry-After": "7"}
    )
    answer = await sender.send(receiver.url, KEY, "e-1", BODY)
    assert (answer.status, answer.retry_after) == (415, "7")
    assert answer.text.startswith("only XML  [31mxxx")
    assert len(answer.text) == 200


async def test_connections_are_used_again(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    peers: list[object] = []

    def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text="thanks")

    receiver.answer = note
    for _ in range(5):
        await sender.send(receiver.url, KEY, "e-1", BODY)
    assert len(set(peers)) == 1


async def test_a_receiver_that_is_down(sender: Sender, unused_tcp_port: int) -> None:
    answer = await sender.send(f"http://127.0.0.1:{unused_tcp_port}/", KEY, "e-1", BODY)
    assert (answer.kind, answer.text) == (
        "network",
        "cannot connect: Connect call failed",
    ) or answer.kind == "network"
    assert "cannot connect" in answer.text


async def test_a_receiver_that_never_answers(hasty: Sender, raw: Any) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    assert await hasty.send(await raw(never), KEY, "e-1", BODY) == Answer("timeout", text="no answer in time")


async def test_a_receiver_that_never_accepts(hasty: Sender) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        answer = await hasty.send(f"http://127.0.0.1:{port}/", KEY, "e-1", BODY)
        for filler in fillers:
            filler.close()
    assert answer.kind == "timeout"


async def test_headers_that_trickle_for_ever(hasty: Sender, raw: Any) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    answer = await hasty.send(await raw(trickle), KEY, "e-1", BODY)
    assert answer.kind in ("timeout", "network")


async def test_an_endless_body_is_not_read(sender: Sender, raw: Any) -> None:
    written = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            written += 65536
            await writer.drain()

    assert (await sender.send(await raw(endless), KEY, "e-1", BODY)).status == 200
    assert written < 64 << 20


async def test_a_stalled_body_does_not_undo_the_success(hasty: Sender, raw: Any) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        await asyncio.Event().wait()

    assert (await hasty.send(await raw(stall), KEY, "e-1", BODY)).status == 200


async def test_a_reset_after_the_status_line_is_no_answer(sender: Sender, raw: Any) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await writer.drain()
        made = writer.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    answer = await sender.send(await raw(reset), KEY, "e-1", BODY)
    assert answer.kind == "network", answer


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 banana OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 99999],
)
async def test_bytes_that_are_not_http_are_no_answer(sender: Sender, raw: Any, answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    got = await sender.send(await raw(speak) + "?token=s3cret", KEY, "e-1", BODY)
    assert got.kind == "network"
    assert "s3cret" not in got.text
    assert "\n" not in got.text


async def test_a_body_that_is_no_event_is_invalid(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    assert (await sender.send(receiver.url, KEY, "e-1", b"{}")).kind == "invalid"
    assert receiver.got == []


async def test_bodies_of_a_mebibyte_arrive(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    big = json.loads(BODY)
    big["data"]["content"] = "x" * (1 << 20)
    body = json.dumps(big).encode()
    assert (await sender.send(receiver.url, KEY, "e-1", body)).status == 204
    assert receiver.got[0].body == body


async def test_long_urls_are_not_kept(sender: Sender, receivers: Any) -> None:
    receiver = await receivers()
    before = sender_module._known_target.cache_info().currsize
    for n in range(20):
        answer = await sender.send(f"{receiver.url}?{n}={'x' * 7000}", KEY, "e-1", BODY)
        assert answer.status == 204
    assert sender_module._known_target.cache_info().currsize == before
    assert (await sender.send(f"{receiver.url}?short", KEY, "e-1", BODY)).status == 204
    assert sender_module._known_target.cache_info().currsize == before + 1
