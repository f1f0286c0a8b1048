"""Batches: pending events are sent as one array, in order, signed as a whole, settled together; and refused batches."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from jobd.clock import SystemClock
from jobd.events.delivery.batching import BATCH_BYTES, BATCH_EVENTS
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.store.store import Store

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BATCH = "application/cloudevents-batch+json"
SETTINGS = DispatcherSettings(
    http_timeout_s=5, initial_backoff_s=0.01, max_backoff_s=0.02, breaker_cooldown_s=0.05, max_requeues=2
)


@pytest.fixture
def clock() -> SystemClock:
    """The clock of the store and the dispatcher."""
    return SystemClock()


@pytest.fixture
def delivering(store: Store, clock: SystemClock) -> Callable[..., Any]:
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


def numbers(got: Any) -> list[int]:
    found = json.loads(got.body)
    return [event["jobsequence"] for event in (found if isinstance(found, list) else [found])]


async def test_pending_events_are_sent_as_arrays_of_the_stored_bytes(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store
) -> None:
    receiver = await receivers()
    stored = await jobs.emit("x", receiver.url, 250, batch=True)
    async with delivering():
        await until(lambda: sum(len(numbers(got)) for got in receiver.got) == 250)
        await until(lambda: all_delivered(store, "x", 250))
    assert [len(numbers(got)) for got in receiver.got] == [BATCH_EVENTS, BATCH_EVENTS, 50]
    assert [n for got in receiver.got for n in numbers(got)] == list(range(1, 251))
    begin = 0
    for got in receiver.got:
        bodies = [event.body for event in stored[begin : begin + BATCH_EVENTS]]
        assert got.body == b"[" + b",".join(bodies) + b"]"
        assert got.headers["Content-Type"] == BATCH
        assert not any(name.startswith("Ce-") for name in got.headers)
        assert got.headers["Webhook-Id"] == stored[begin].event_id
        Webhook(KEY).verify(got.body, {name.lower(): value for name, value in got.headers.items()})
        begin += BATCH_EVENTS


async def all_delivered(store: Store, uid: str, count: int) -> bool:
    found = await store.deliveries(uid, 0, 1000)
    return [(d.state, d.attempts) for d in found] == [("delivered", 1)] * count


async def test_a_single_event_of_a_batching_job_is_sent_as_one_event(
    delivering: Any, jobs: Any, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    await jobs.emit("x", receiver.url, 1, batch=True)
    async with delivering():
        await until(lambda: receiver.got)
    assert receiver.got[0].headers["Content-Type"] == "application/cloudevents+json"
    assert receiver.got[0].headers["Ce-Id"] == "x-1"


async def test_events_that_arrive_during_a_request_form_the_next_batch(
    delivering: Any, jobs: Any, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    open_up = asyncio.Event()
    at_once = 0

    async def slow(request: web.Request) -> web.Response:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        await open_up.wait()
        at_once -= 1
        return web.Response()

    receiver.answer = slow
    async with delivering() as dispatcher:
        await jobs.emit("x", receiver.url, 1, batch=True)
        dispatcher.notify("x")
        await until(lambda: receiver.got)
        for _ in range(30):
            await jobs.emit("x", receiver.url, 1, batch=True)
            dispatcher.notify("x")
        open_up.set()
        await until(lambda: len(receiver.got) == 2)
    assert [numbers(got) for got in receiver.got] == [[1], list(range(2, 32))]


async def test_a_batch_is_bounded_in_bytes_too(
    delivering: Any, jobs: Any, receivers: Any, until: Any
) -> None:
    receiver = await receivers()
    await jobs.emit("x", receiver.url, 7, text="é" * 150_000, batch=True)
    await jobs.emit("x", receiver.url, 1, text="é" * 800_000, batch=True)
    await jobs.emit("x", receiver.url, 1, batch=True)
    async with delivering():
        await until(lambda: sum(len(numbers(got)) for got in receiver.got) == 9)
    assert [numbers(got) for got in receiver.got] == [[1, 2, 3], [4, 5, 6], [7], [8], [9]]
    assert all(len(got.body) <= BATCH_BYTES + 2 or len(numbers(got)) == 1 for got in receiver.got)


@pytest.mark.parametrize("status", [413, 415, 400])
async def test_a_refused_batch_is_sent_as_single_events(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store, status: int
) -> None:
    receiver = await receivers()
    receiver.answer = lambda request: web.Response(status=status if request.content_type == BATCH else 204)
    await jobs.emit("x", receiver.url, 120, batch=True)
    async with delivering():

        async def settled() -> bool:
            return (await store.counts()).pending == 0

        await until(settled)
    taken = [numbers(got)[0] for got in receiver.got if got.headers["Content-Type"] != BATCH]
    assert taken == list(range(1, 121))
    assert [len(numbers(got)) for got in receiver.got if got.headers["Content-Type"] == BATCH] == [100, 20]
    assert await all_delivered(store, "x", 120)


async def test_of_a_refused_batch_only_the_bad_event_is_parked(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store
) -> None:
    receiver = await receivers()
    receiver.answer = lambda request: web.Response(status=400 if 3 in numbers(receiver.got[-1]) else 204)
    await jobs.emit("x", receiver.url, 5, batch=True)
    async with delivering():

        async def settled() -> bool:
            return (await store.counts()).pending == 0

        await until(settled)
    assert await jobs.states("x") == "delivered delivered parked delivered delivered"


async def test_gone_abandons_a_whole_batch_and_the_events_behind(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store
) -> None:
    receiver = await receivers()
    receiver.answer = lambda request: web.Response(status=410)
    await jobs.emit("x", receiver.url, 130, batch=True)
    async with delivering():

        async def settled() -> bool:
            return (await store.counts()).pending == 0

        await until(settled)
    found = await store.deliveries("x", 0, 1000)
    assert {d.state for d in found} == {"abandoned"}
    assert [d.attempts for d in found] == [1] * 100 + [0] * 30
    assert len(receiver.got) == 1


async def test_a_failed_batch_counts_for_each_event_and_is_retried_in_order(
    delivering: Any, jobs: Any, receivers: Any, until: Any, store: Store
) -> None:
    receiver = await receivers()
    receiver.answer = lambda request: web.Response(status=503 if len(receiver.got) <= 3 else 200)
    await jobs.emit("x", receiver.url, 4, batch=True)
    async with delivering():

        async def settled() -> bool:
            return (await store.counts()).pending == 0

        await until(settled)
    assert [numbers(got) for got in receiver.got] == [[1, 2, 3, 4]] * 4
    assert (
        len({got.body for got in receiver.got})
        == len({got.headers["Webhook-Id"] for got in receiver.got})
        == 1
    )
    assert [(d.state, d.attempts) for d in await store.deliveries("x", 0, 10)] == [("delivered", 4)] * 4
