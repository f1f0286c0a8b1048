"""P4 and P5: events through the durable outbox against a bare aiohttp loop; a healthy host beside one that never answers.

Owns both sides of the two measurements. The receiver is another process; each run has its own database, seeded before
its clock starts. No engine is used.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from jobd.clock import SystemClock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.observer import NullObserver
from jobd.events.delivery.queues.destination import destination_of
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.store.store import Store
from jobd.store.tables.delivery_rows import Due
from jobd.store.tables.rows import Callback, JobRow, NewEvent, Transition
from jobd.wire.event import LOG, binding_headers, encode
from jobd.wire.signing import signature_headers
from scripts.bench.pairs import Budget, Result, measure
from scripts.bench.support.progress import begin
from scripts.daemon import ROOT

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JOBS, EVENTS = 50, 100
SAMPLES = 400
STUCK_JOBS = 50
LIMIT_S = 120.0

P4 = Budget(
    "P4", f"{JOBS} jobs x {EVENTS} events, outbox", "a bare aiohttp loop", 0.7, "at-least", "events/s"
)
P4_BATCHED = Budget("P4-batched", "the same, batched", "a bare aiohttp loop", 4.0, "at-least", "events/s")
P5 = Budget("P5", "p99 to a host beside one that never answers", "without that one", 1.5)
BUDGETS = (P4, P4_BATCHED, P5)


class Counter(NullObserver):
    """Counts deliveries and keeps the latency of each."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.wanted = 0
        self.reached = asyncio.Event()

    def delivered(self, latency_s: float) -> None:
        self.latencies_s.append(latency_s)
        if len(self.latencies_s) >= self.wanted:
            self.reached.set()

    async def until(self, count: int) -> None:
        """Returns once `count` events were delivered. Raises TimeoutError."""
        self.wanted = count
        self.reached.clear()
        if len(self.latencies_s) < count:
            async with asyncio.timeout(LIMIT_S):
                await self.reached.wait()


class Receiver:
    """The receiving process."""

    def __enter__(self) -> "Receiver":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.bench.programs.receiver"], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def count(self) -> int:
        """How many events have arrived."""
        with urllib.request.urlopen(self.url + "/count", timeout=10) as answer:
            return int(json.load(answer))


def _event(job: str, number: int, moment: datetime) -> NewEvent:
    event_id = f"{job}-{number}"
    data = {"jobId": job, "lines": ["x" * 80] * 3, "stream": "stdout", "meta": {}}
    body = encode(
        event_id=event_id, type=LOG, job_id=job, job_uid=job, timestamp=moment, sequence=number, data=data
    )
    return NewEvent(event_id, LOG, body, moment, True)


async def _seed(store: Store, job: str, count: int, url: str, batch: bool = False) -> None:
    now = datetime.now(UTC)
    row = JobRow(job, job, None, "running", {}, now, None, True, False, True, b"{}")
    events = tuple(_event(job, number, now) for number in range(1, count + 1))
    callback = Callback(url, KEY, destination_of(url), batch)
    await store.commit(Transition(row, events, callback=callback, claim_id=True))


@contextlib.asynccontextmanager
async def _outbox(counter: Counter, seed: Callable[[Store], Any]) -> AsyncIterator[tuple[Store, Dispatcher]]:
    """A store that `seed` has filled, and a dispatcher that delivers from it for the length of the block."""
    clock, settings = SystemClock(), DispatcherSettings()
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        store = await Store.open(Path(folder) / "jobd.db")
        try:
            await seed(store)
            async with Sender(EgressPolicy(EgressRule()), clock, connections=2 * settings.workers) as sender:
                dispatcher = Dispatcher(store, sender, settings, clock, counter)
                task = asyncio.ensure_future(dispatcher.run())
                try:
                    yield store, dispatcher
                finally:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
        finally:
            await store.close()


async def through_outbox(url: str, batch: bool) -> float:
    """Returns the events a second from the dispatcher's start to the last one's record."""
    counter = Counter()

    async def seed(store: Store) -> None:
        for job in range(JOBS):
            await _seed(store, f"job-{job}", EVENTS, url, batch)

    async with _outbox(counter, seed) as (store, dispatcher):
        began = time.perf_counter()  # the dispatcher's task has not run yet
        await counter.until(JOBS * EVENTS)
        drained = await dispatcher.drain(LIMIT_S)
        seconds = time.perf_counter() - began
        if not drained or (await store.counts()).pending:
            raise RuntimeError("the deliveries were not stored")
        return JOBS * EVENTS / seconds


def at_once_to_one_host() -> int:
    """Returns how many requests the dispatcher has under way to a healthy host: the bare loop has as many."""
    destinations, now = DestinationQueues(DispatcherSettings().workers, 1000), datetime.now(UTC)
    for number in range(2 * destinations.workers):
        destinations.hold(Due(number, str(number), "", "", "", "", None, "host", 0, 0, now, 0, None))
    first = destinations.pick(lambda _: True)
    assert first is not None
    destinations.answered(first, proven=True)
    while destinations.pick(lambda _: True) is not None:
        pass
    return destinations.in_flight


async def bare(url: str) -> float:
    """Returns the events a second of a loop that sends the same bodies, signed, and stores nothing."""
    now = datetime.now(UTC)
    left = iter([_event(f"job-{job}", number, now) for number in range(EVENTS) for job in range(JOBS)])
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for event in left:
                headers = binding_headers(event.body)
                headers |= signature_headers(KEY, event.event_id, int(time.time()), event.body)
                async with session.post(url, data=event.body, headers=headers) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once_to_one_host())))
        return JOBS * EVENTS / (time.perf_counter() - began)


async def p99_ms(well: str, stuck: str | None) -> float:
    """Returns the 99th percentile, over events committed one after the other, of fact to 2xx; in milliseconds."""
    counter = Counter()

    async def seed(store: Store) -> None:
        if stuck is not None:
            for job in range(STUCK_JOBS):
                await _seed(store, f"stuck-{job}", 5, stuck)

    async with _outbox(counter, seed) as (store, dispatcher):
        for number in range(SAMPLES):
            job = f"well-{number}"
            await _seed(store, job, 1, well)
            dispatcher.notify(job)
            await counter.until(number + 1)
    return sorted(counter.latencies_s)[int(0.99 * SAMPLES)] * 1000


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the wanted measurements, each as pairs."""
    (ROOT / "build").mkdir(exist_ok=True)
    if wanted & {P4.name, P4_BATCHED.name}:
        yield from _rates(wanted)
    if P5.name in wanted:
        begin(P5)
        with Receiver() as well, Receiver() as stuck:
            hook, silent = well.url + "/hook", stuck.url + "/silent"
            yield measure(
                P5,
                lambda: asyncio.run(p99_ms(hook, silent)),
                lambda: asyncio.run(p99_ms(hook, None)),
                9,
                40,
            )


def _rates(wanted: frozenset[str]) -> Iterator[Result]:
    with Receiver() as receiver:
        hook = receiver.url + "/hook"
        sent = 0

        def rate(run: Callable[[], Any]) -> Callable[[], float]:
            def once() -> float:
                nonlocal sent
                value = float(asyncio.run(run()))
                sent += JOBS * EVENTS
                if receiver.count < sent:
                    raise RuntimeError(f"{receiver.count} of {sent} events arrived")
                return value

            return once

        loop = rate(lambda: bare(hook))
        for budget, batch in ((P4, False), (P4_BATCHED, True)):
            if budget.name in wanted:
                begin(budget)
                ours = rate(partial(through_outbox, hook, batch))
                ours(), loop()  # warms both up
                yield measure(budget, ours, loop, 9, 40)
