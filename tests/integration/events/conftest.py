"""A store on a real file, jobs with callbacks, and good and bad receivers over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from jobd.clock import Clock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.queues.destination import destination_of
from jobd.store.store import Store
from jobd.store.tables.rows import Callback, JobRow, NewEvent, StoredEvent, Transition
from jobd.wire.event import LOG, encode
from tests.support.delivery.delivery_rig import SETTINGS, RecordingObserver, Rig, ScriptedSender
from tests.support.fakes.clock import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def clock() -> Clock:
    """The clock of store and dispatcher, which only tests move."""
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "jobd.db", clock=clock)
    yield opened
    await opened.close()


class Jobs:
    """Creates jobs and events in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sequences: dict[str, count[int]] = {}
        self._versions: dict[str, int] = {}

    async def emit(
        self,
        uid: str,
        url: str,
        events: int = 1,
        text: str = "line",
        batch: bool = False,
        at: datetime = START,
    ) -> list[StoredEvent]:
        """Commits events of job `uid`, which is created if new, with the wall clock's time `at`."""
        new = uid not in self._sequences
        numbers = self._sequences.setdefault(uid, count(1))
        version = self._versions[uid] = 0 if new else self._versions[uid] + 1
        job = JobRow(
            uid, f"job-{uid}", None, "running", {}, START, None, True, False, True, b"{}", version=version
        )
        made = []
        for _ in range(events):
            number = next(numbers)
            body = encode(
                event_id=f"{uid}-{number}",
                type=LOG,
                job_id=job.id,
                job_uid=uid,
                timestamp=at,
                sequence=number,
                data={"jobId": job.id, "lines": [f"{text} é {number}"], "stream": "stdout"},
            )
            made.append(NewEvent(f"{uid}-{number}", LOG, body, at, True))
        return await self._store.commit(
            Transition(
                job, tuple(made), callback=Callback(url, KEY, destination_of(url), batch), claim_id=new
            )
        )

    async def states(self, uid: str) -> str:
        return " ".join(delivery.state for delivery in await self._store.deliveries(uid, 0, 10_000))


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store)


Until = Callable[[Callable[[], object | Awaitable[object]]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits until a condition holds, at most a minute."""

    async def wait(condition: Callable[[], object | Awaitable[object]]) -> None:
        async with asyncio.timeout(60):
            while True:
                outcome = condition()
                if asyncio.iscoroutine(outcome):
                    outcome = await outcome
                if outcome:
                    return
                await asyncio.sleep(0.002)

    return wait


@dataclass
class Got:
    """One received request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server whose answers a test may change."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse] | web.StreamResponse] = field(
        default=lambda request: web.Response(status=204)
    )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(Got(request.path_qs, dict(request.headers), await request.read()))
        response = self.answer(request)
        return await response if not isinstance(response, web.StreamResponse) else response


@pytest.fixture
async def receivers() -> AsyncIterator[Callable[[], Awaitable[Receiver]]]:
    """Creates HTTP receivers on loopback."""
    runners: list[web.AppRunner] = []

    async def make() -> Receiver:
        receiver = Receiver()
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{tail:.*}", receiver.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        return receiver

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def raw() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Creates receivers that answer with a test's raw bytes; returns their URL."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def make(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await reader.readuntil(b"\r\n\r\n")
                await answer(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client disconnected, or the test has ended
            finally:
                writer.close()
                with suppress(OSError, TimeoutError, asyncio.CancelledError):
                    async with asyncio.timeout(0.1):
                        await writer.wait_closed()
                writer.transport.abort()
                tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"

    yield make
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def rig(store: Store, clock: FakeClock) -> Callable[..., Any]:
    """Runs a dispatcher for the length of a block."""

    @asynccontextmanager
    async def running(outbox: Any = store, **changes: Any) -> AsyncIterator[Rig]:
        sender, observer = changes.pop("sender", None) or ScriptedSender(), RecordingObserver()
        settings = replace(SETTINGS, **changes)
        dispatcher = Dispatcher(outbox, sender, settings, clock, observer, spread=lambda: 0.5)
        task = asyncio.ensure_future(dispatcher.run())
        try:
            yield Rig(dispatcher, sender, clock, observer)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await sender.hang_up()

    return running


@pytest.fixture
def tick(until: Any) -> Callable[..., Awaitable[None]]:
    """Moves the clock in small steps until a condition holds; each step waits until all due work is done."""

    async def move(r: Rig, condition: Callable[[], Any], step_s: float = 0.5) -> None:
        def quiet() -> bool:
            asleep = sum(not future.done() for _, _, future in r.clock._sleepers)
            return asleep >= (1 if r.dispatcher._queue._all_settled.is_set() else 2)

        async def reached() -> bool:
            outcome = condition()
            return bool(await outcome if asyncio.iscoroutine(outcome) else outcome)

        async with asyncio.timeout(60):
            while not await reached():
                for _ in range(10):
                    await asyncio.sleep(0)
                await until(quiet)
                r.clock.advance(step_s)

    return move
