"""Jobs on a real store with the engine in memory and a clock that tests move: no Docker, no HTTP, no waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.budget import ByteBudget
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.feed import Feed
from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.resource_limits import Caps
from jobd.jobs.admission.submission import Submission, SubmissionLimits, Submitter
from jobd.jobs.change_notifier import ChangeNotifier
from jobd.jobs.job_repository import JobRepository
from jobd.jobs.log.live_output import LiveOutputs
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.retention.retention import Retention, RetentionSettings
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.sidecar_order import SidecarSettings
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.service import JobService
from jobd.jobs.state.record import Record
from jobd.jobs.stored import readable
from jobd.store.store import Store
from jobd.wire.job import JobSpec
from jobd.wire.validation.limits import MAX_TIMEOUT_S
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.orchestrator import FakeOrchestrator

DEADLINE_S = 10.0
LOG_MAX_BYTES = 1 << 20
KEPT_OUTPUTS_MAX_BYTES = 1 << 20
ENGINE_ERROR_LIMIT_S = 900.0


class NoSender:
    """No event leaves: the dispatcher of these tests does not run."""

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Any:
        raise AssertionError("nothing is to be sent")


class House:
    """The parts of jobd that jobs are made of. `restart` leaves the store and the engine as they are."""

    def __init__(self, store: Store, folder: Path, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.engine = FakeOrchestrator(self.clock)
        self.folder = folder
        (folder / "secrets").mkdir()
        (folder / "outputs").mkdir()
        self._listening: asyncio.Task[None] | None = None
        self._build()

    def _build(self) -> None:
        self.change_notifier = ChangeNotifier()
        self.budget = ByteBudget(32 << 20, patience_s=2.0)
        feed = Feed(self.store, self.budget)
        dispatcher = Dispatcher(self.store, NoSender(), DispatcherSettings(), self.clock)
        self.repository = JobRepository(self.store, feed, dispatcher, self.change_notifier, self.clock)
        self.queue = AdmissionQueue(2)
        self.outputs = KeptOutputs(self.folder / "outputs", KEPT_OUTPUTS_MAX_BYTES)
        self.live_outputs = LiveOutputs()
        deps = Dependencies(
            engine=self.engine,
            repository=self.repository,
            queue=self.queue,
            clock=self.clock,
            sidecar=SidecarSettings(
                direct=False, callback_timeout_s=30, upload_timeout_s=300, upload_retries=3
            ),
            log_max_bytes=LOG_MAX_BYTES,
            engine_error_limit_s=ENGINE_ERROR_LIMIT_S,
            spool_path=lambda uid: self.folder / f"{uid}.tar",
            secrets=SecretFiles(self.folder / "secrets"),
            outputs=self.outputs,
            on_change=lambda before, after, spec: None,
            live_outputs=self.live_outputs,
            tell=self.change_notifier.notify,
        )
        self.supervisors = Supervisors(deps, self.store)
        self.engine_monitor = EngineMonitor(self.engine, self.supervisors, self.clock)
        self.submitter = Submitter(
            deps,
            self.supervisors,
            self.engine_monitor,
            Fingerprints(b"k" * 32),
            SubmissionLimits(max_queued=100, caps=Caps(timeout_s=MAX_TIMEOUT_S)),
            on_accepted=lambda spec: None,
        )
        self.retention = Retention(
            self.store,
            self.repository,
            self.supervisors,
            self.engine,
            self.outputs,
            self.clock,
            RetentionSettings(job_retention_s=900, history_retention_s=86400, interval_s=60),
        )
        self.service = JobService(
            self.store,
            self.supervisors,
            self.queue,
            self.engine,
            self.retention,
            retention_s=900,
            outputs=self.outputs,
        )
        self._listening = asyncio.create_task(self.engine_monitor.listen())

    async def stop(self) -> None:
        await self.supervisors.stop()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def restart(self) -> None:
        """Ends all supervisors without a word and begins again from what is stored."""
        await self.stop()
        self._build()
        for record in readable(await self.store.live_rows()):
            if record.admitted_at is not None and not record.ended:
                self.queue.occupy(record.uid)
            self.supervisors.start(self.supervisors.get_or_make(record))

    async def submit(self, *artifacts: Any, **fields: Any) -> Record:
        spec = JobSpec(id=fields.pop("id", "a"), image="busybox", artifacts=list(artifacts), **fields)
        record, _ = await self.submitter.submit(Submission(spec, owner="1000"))
        return record

    async def stored(self, record: Record) -> Record:
        """The record as the API shows it. Waits for a read of the store, so that the writer gets on as well."""
        assert await self.store.get_by_uid(record.uid) is not None
        now = await self.service.current(record)
        assert now is not None
        return now

    async def until(self, record: Record, condition: Callable[[Record], bool], tick_s: float = 0.0) -> Record:
        """Returns the record once the condition holds; moves the clock by `tick_s` at each look."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition(now := await self.stored(record)):
                self.clock.advance(tick_s)
                await asyncio.sleep(0)
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
async def house(store: Store, tmp_path: Path, clock: FakeClock) -> AsyncIterator[House]:
    made = House(store, tmp_path, clock)
    yield made
    await made.stop()
    await made.engine.close()
