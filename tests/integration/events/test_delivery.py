"""Outbox, dispatcher, sender and receivers together, over real sockets and on the real clock."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cloudevents.v1.http import from_http
from standardwebhooks.webhooks import Webhook

from jobd.clock import SystemClock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.store.store import Store

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTINGS = DispatcherSettings(
    http_timeout_s=0.3, initial_backoff_s=0.01, max_backoff_s=0.02, breaker_cooldown_s=0.05, max_requeues=2
)


@pytest.fixture
def clock() -> SystemClock:
    """The clock of the store and the dispatcher."""
    return SystemClock()


@pytest.fixture
def delivering(store: Store, clock: SystemClock) -> Callable[..., Any]:
    """Runs a dispatcher with a real sender for the length of a block."""

    @asynccontextmanager
    async def running(**changes: Any) -> AsyncIterator[Dispatcher]:
        settings = replace(SETTINGS, **changes)
        async with Sender(EgressPolicy(EgressRule()), clock, settings.http_timeout_s) as sender:
            dispatcher = Dispatcher(store, sender, settings, clock)
            task = asyncio.ensure_future(dispatcher.run())
            try:
                yield dispatcher
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return running


async def test_every_event_arrives_in_order_signed_and_numbered(
    delivering: Any, jobs: Any, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    async with delivering() as dispatcher:
        for n in range(10):
            await jobs.emit(f"j{n}", receiver.url, 10)
            dispatcher.notify(f"j{n}")
        await until(lambda: len(receiver.got) == 100)
    order = defaultdict(list)
    for got in receiver.got:
        Webhook(KEY).verify(got.body.decode(), {name.lower(): value for name, value in got.headers.items()})
        event = from_http(got.headers, got.body)
        order[event["jobuid"]].append(int(event["jobsequence"]))
    assert dict(order) == {f"j{n}": list(range(1, 11)) for n in range(10)}


async def test_a_receiver_that_closes_its_connections_costs_no_tries(
    delivering: Any, jobs: Any, receivers: Any, store: Store
) -> None:
    """It answers without `Connection: close`."""
    receiver = await receivers()

    async def answer_and_close(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=204)
        await response.prepare(request)
        await response.write_eof()
        assert request.transport is not None
        request.transport.close()
        return response

    receiver.answer = answer_and_close
    async with delivering(http_timeout_s=10) as dispatcher:
        await jobs.emit("x", receiver.url, 100)
        dispatcher.notify("x")
        async with asyncio.timeout(60):
            while (await jobs.states("x")).count("delivered") < 100:
                await asyncio.sleep(0.01)
    assert {one.attempts for one in await store.deliveries("x", 0, 1000)} == {1}


async def test_drain_waits_for_a_request_that_is_sent_again(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store
) -> None:
    receiver = await receivers()
    go = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        number = len(receiver.got)
        if number == 2:
            assert request.transport is not None
            request.transport.abort()
        elif number == 3:
            await go.wait()
        return web.Response(status=204)

    receiver.answer = answer
    async with delivering(http_timeout_s=10) as dispatcher:
        await jobs.emit("x", receiver.url, 10)
        dispatcher.notify("x")
        await until(lambda: len(receiver.got) == 3)
        draining = asyncio.ensure_future(dispatcher.drain(10))
        await asyncio.sleep(0)
        assert not draining.done()
        go.set()
        assert await draining
    ids = [got.headers["Webhook-Id"] for got in receiver.got]
    assert ids == ["x-1", "x-2", "x-2"]
    assert await jobs.states("x") == "delivered delivered" + " pending" * 8
    assert [one.attempts for one in await store.deliveries("x", 0, 10)] == [1, 1] + [0] * 8


@pytest.mark.parametrize(("batch", "length"), [(False, 1), (True, 1), (False, 40_000)])
async def test_a_damaged_event_is_parked_and_the_others_are_sent(
    delivering: Any,
    jobs: Any,
    receivers: Any,
    until: Any,
    store: Any,
    tmp_path: Path,
    batch: bool,
    length: int,
) -> None:
    receiver = await receivers()
    await jobs.emit("j", receiver.url, 5, text="x" * length, batch=batch)
    with closing(sqlite3.connect(tmp_path / "jobd.db")) as connection, connection:
        connection.execute(
            "UPDATE events SET body = CAST(replace(body, 'stdout', 'stdouT') AS BLOB) WHERE seq = 3"
        )
    async with delivering():
        await until(lambda: _all_but_pending(jobs))
    assert await jobs.states("j") == "delivered delivered parked delivered delivered"
    (parked,) = [one for one in await store.deliveries("j", 0, 10) if one.state == "parked"]
    assert "does not match its checksum" in parked.last_error
    assert b"stdouT" not in b"".join(got.body for got in receiver.got)


async def _all_but_pending(jobs: Any) -> bool:
    return "pending" not in await jobs.states("j")


async def test_each_kind_of_bad_receiver_has_its_outcome(
    delivering: Any, jobs: Any, receivers: Any, raw: Any, until: Any, store: Any, unused_tcp_port: int
) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    def says(status: int, **headers: str) -> Callable[[web.Request], web.Response]:
        return lambda request: web.Response(status=status, headers=headers)

    urls = {
        "down": f"http://127.0.0.1:{unused_tcp_port}/",
        "never": await raw(never),
        "endless": await raw(endless),
    }
    for name, answer in {
        "well": says(204),
        "gone": says(410),
        "moved": says(302, Location="http://127.0.0.1:1/"),
        "type": says(415),
        "busy": says(429, **{"Retry-After": "0"}),
        "broken": says(500),
    }.items():
        receiver = await receivers()
        receiver.answer = answer
        urls[name] = receiver.url
    async with delivering(max_requeues=1, http_timeout_s=0.2) as dispatcher:
        for name, url in urls.items():
            await jobs.emit(name, url, 2)
            dispatcher.notify(name)

        async def settled() -> Any:
            return (await store.counts()).pending == 0

        await until(settled)
    states = {name: await jobs.states(name) for name in urls}
    assert states == {
        "down": "parked parked",
        "never": "parked parked",
        "endless": "delivered delivered",
        "well": "delivered delivered",
        "gone": "abandoned abandoned",
        "moved": "parked parked",
        "type": "parked parked",
        "busy": "parked parked",
        "broken": "parked parked",
    }
    attempts = {name: (await store.deliveries(name, 0, 1))[0].attempts for name in urls}
    assert attempts["type"] == attempts["gone"] == attempts["well"] == 1
    assert attempts["down"] == attempts["busy"] == attempts["broken"] == attempts["moved"] == 8
    assert (await store.deliveries("type", 0, 1))[0].last_status == 415
    assert "302" in ((await store.deliveries("moved", 0, 1))[0].last_error or "")


async def test_a_receiver_that_comes_back_gets_everything_in_order(
    delivering: Any, jobs: Any, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    down = True
    receiver.answer = lambda request: web.Response(status=503 if down else 200)
    async with delivering(max_requeues=1000) as dispatcher:
        for n in range(5):
            await jobs.emit(f"j{n}", receiver.url, 4)
            dispatcher.notify(f"j{n}")
        await until(lambda: dispatcher.state().breakers_open == 1)
        down = False
        await until(lambda: len({got.headers["Ce-Id"] for got in receiver.got}) == 20)
    seen = defaultdict(list)
    for got in receiver.got:
        seen[got.headers["Ce-Jobuid"]].append(int(got.headers["Ce-Jobsequence"]))
    assert all(order == sorted(order) for order in seen.values())


async def test_one_receiver_that_never_answers_leaves_the_others_alone(
    delivering: Any, jobs: Any, receivers: Any, raw: Any, until: Any
) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    dead = await raw(never)
    well = [await receivers() for _ in range(5)]
    async with delivering(http_timeout_s=60) as dispatcher:
        for n in range(30):
            await jobs.emit(f"dead{n}", dead)
            dispatcher.notify(f"dead{n}")
        await until(lambda: dispatcher.state().in_flight == 2)
        for n, receiver in enumerate(well):
            for k in range(20):
                await jobs.emit(f"w{n}-{k}", receiver.url)
                dispatcher.notify(f"w{n}-{k}")
        await until(lambda: all(len(receiver.got) == 20 for receiver in well))
        assert dispatcher.state().in_flight >= 2  # requests to the dead hosts were under way all the time
