"""A request over a connection that is open already: sent at once, without a task."""

import asyncio
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.http.sender import Sender
from tests.integration.events.http.conftest import BODY, KEY


async def answer_of(sender: Sender, url: str, event_id: str = "e-1") -> Answer | None:
    """The answer to an event that goes over an open connection; None if nothing was sent."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    if not sender.try_send(url, KEY, event_id, BODY, answered.set_result):
        return None
    return await answered


async def test_over_an_open_connection_the_same_bytes_are_sent_without_a_task(
    sender: Sender, receivers: Any
) -> None:
    receiver = await receivers()
    assert await answer_of(sender, receiver.url) is None, "no connection is open yet"
    assert (await sender.send(receiver.url, KEY, "e-1", BODY)).status == 204
    tasks = len(asyncio.all_tasks())
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    assert sender.try_send(receiver.url, KEY, "e-1", BODY, answered.set_result)
    assert len(asyncio.all_tasks()) == tasks
    assert await sender_answer(answered) == Answer("answer", 204)
    first, second = receiver.got
    unsigned = {"Webhook-Timestamp": "", "Webhook-Signature": ""}
    assert (second.path, second.body) == (first.path, first.body)
    assert second.headers | unsigned == first.headers | unsigned
    assert Webhook(KEY).verify(second.body.decode(), {k.lower(): v for k, v in second.headers.items()})
    assert await answer_of(sender, receiver.url) == Answer("answer", 204), "the connection is kept"


async def sender_answer(answered: "asyncio.Future[Answer]") -> Answer:
    async with asyncio.timeout(10):
        return await answered


async def test_what_makes_no_request_is_not_sent_over_an_open_connection(
    sender: Sender, receivers: Any
) -> None:
    receiver = await receivers()
    assert (await sender.send(receiver.url, KEY, "e-1", BODY)).status == 204
    assert await answer_of(sender, receiver.url, "e-1\r\nX-Evil: 1") is None
    assert not sender.try_send(receiver.url, KEY, "e-1", b"no event", lambda answer: None)
    assert not sender.try_send("http://127.1/", KEY, "e-1", BODY, lambda answer: None)
    assert len(receiver.got) == 1
    assert await answer_of(sender, receiver.url) == Answer("answer", 204), "the connection is still open"


async def test_an_open_connection_that_fails_or_is_silent_says_why(
    sender: Sender, hasty: Sender, receivers: Any
) -> None:
    receiver = await receivers()
    for one in (sender, hasty):
        assert (await one.send(receiver.url, KEY, "e-1", BODY)).status == 204
    silent = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await silent.wait()
        return web.Response(status=204)

    receiver.answer = wait
    late = await answer_of(hasty, receiver.url)
    assert late is not None
    assert late.kind == "timeout"
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    assert sender.try_send(receiver.url, KEY, "e-1", BODY, answered.set_result)
    await sender.close()
    assert (await sender_answer(answered)).kind == "network"
    silent.set()
