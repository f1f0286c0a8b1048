"""Jobs on a real store with the engine in memory and a clock that tests move: no Docker, no HTTP, no waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.composition.events import build_events
from jobd.composition.jobs import build_jobs
from jobd.jobs.admission.submission import Submission
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.record import Record
from jobd.metrics.jobs import JobObserver
from jobd.metrics.metrics import Metrics
from jobd.process.recovery import recover
from jobd.process.state_folder import open_state
from jobd.settings.config import Config, from_mapping
from jobd.store.store import Store
from jobd.wire.job import JobSpec
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.orchestrator import FakeOrchestrator
from tests.support.fakes.sender import UnconnectedSender
from tests.support.stored_log import SPEC, Log

DEADLINE_S = 10.0
SETTINGS = {
    "MAX_CONCURRENT_JOBS": "2",
    "MAX_QUEUED_JOBS": "100",
    "MAX_TIMEOUT": "8784h",
    "HISTORY_RETENTION": "24h",
    "LOG_MAX_BYTES": str(1 << 20),
    "KEPT_OUTPUTS_MAX_BYTES": str(1 << 20),
}
"""Smaller than the defaults, so that tests reach the limits soon; a job may request the contract's longest timeout."""


class NoSender(UnconnectedSender):
    """Fails if jobd sends an event: the dispatcher of these tests does not run."""

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Any:
        raise AssertionError("jobd must not send events")


PAUSE_S = 0.001
"""Between two checks of a condition, so that the processor is free for other tests while the disk stores."""


class System:
    """The modules of `jobd/jobs`, composed as in jobd. `restart` keeps the store and the engine."""

    def __init__(self, store: Store, folder: Path, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.engine = FakeOrchestrator(self.clock)
        self.folder = folder
        self._state = open_state(folder)
        self._config: Config = from_mapping({**SETTINGS, "JOBD_STATE_DIR": str(folder)})
        self._observer = JobObserver(Metrics())
        self._listening: asyncio.Task[None] | None = None
        self._build()

    def _build(self) -> None:
        events = build_events(self._config, self.store, NoSender(), self.clock)
        jobs = self._jobs = build_jobs(
            self._config,
            folder=self._state,
            store=self.store,
            engine=self.engine,
            events=events,
            clock=self.clock,
            observer=self._observer,
        )
        self.budget = events.readers
        self.change_notifier, self.repository, self.queue = jobs.change_notifier, jobs.repository, jobs.queue
        self.outputs, self.live_outputs = jobs.outputs, jobs.live_outputs
        self.supervisors, self.engine_monitor = jobs.supervisors, jobs.engine_monitor
        self.groups, self.sets, self.resubmitter = jobs.groups, jobs.sets, jobs.resubmitter
        self.submitter, self.service, self.retention = jobs.submitter, jobs.service, jobs.retention
        self.sessions = jobs.sessions
        self._listening = asyncio.create_task(self.engine_monitor.listen())

    async def stop(self) -> None:
        await self.supervisors.stop()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def restart(self) -> None:
        """Kills all supervisors and starts again from the store."""
        await self.stop()
        self._build()
        await self.engine_monitor.ask()
        await recover(self._jobs, self.store, self._state, self._observer)

    async def submit(self, *artifacts: Any, **fields: Any) -> Record:
        spec = JobSpec(id=fields.pop("id", "a"), image="busybox", artifacts=list(artifacts), **fields)
        record, _ = await self.submitter.submit(Submission(spec, owner="1000"))
        return record

    async def stored(self, record: Record) -> Record:
        """Returns the stored record. Waits for a read of the store, so that the writer continues too."""
        assert await self.store.get_by_uid(record.uid) is not None
        now = await self.service.current(record)
        assert now is not None
        return now

    async def until(self, record: Record, condition: Callable[[Record], bool], tick_s: float = 0.0) -> Record:
        """Returns the record once the condition holds; moves the clock by `tick_s` at each check."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition(now := await self.stored(record)):
                self.clock.advance(tick_s)
                await asyncio.sleep(0 if tick_s else PAUSE_S)
            return now

    async def ended(self, record: Record, tick_s: float = 0.0) -> Record:
        return await self.until(record, lambda now: now.ended, tick_s)

    async def events(self, record: Record) -> list[dict[str, Any]]:
        return [msgspec.json.decode(e.body) for e in await self.store.list_events(0, record.uid, 1000)]

    async def event_types(self, record: Record) -> list[str]:
        return [event["type"].removeprefix("orchestrator.job.") for event in await self.events(record)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "jobd.db", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def system(store: Store, tmp_path: Path, clock: FakeClock) -> AsyncIterator[System]:
    made = System(store, tmp_path, clock)
    await made.engine_monitor.ask()
    yield made
    await made.stop()
    await made.engine.close()


@pytest.fixture
async def log(system: Any) -> Log:
    record = new_record(SPEC, now=system.clock.now(), owner=None, digest="", has_spool=False)
    await system.repository.open(record, SPEC, msgspec.json.encode(SPEC), None)
    return Log(system, record)
