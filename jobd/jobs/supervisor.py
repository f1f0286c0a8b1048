"""One job from its admission to its end: asks the state what it demands, carries it out, stores what came of it.

Owns the loop and the order in which facts are applied; decides nothing itself. There is one supervisor for a job that is not
over, started by a submission and by a boot alike: what a state demands does not depend on how it was reached.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from jobd.clock import Clock
from jobd.jobs import facts as f
from jobd.jobs.announcer import ANNOUNCE_AFTER_S, Announcer, waits
from jobd.jobs.demand import demand
from jobd.jobs.ledger import Ledger
from jobd.jobs.logbook import take as take_lines
from jobd.jobs.machine import step
from jobd.jobs.orchestrator import (
    ContainerFacts,
    EngineError,
    EngineUnavailable,
    Hint,
    ImageUnavailable,
    JobRef,
    Observation,
    Orchestrator,
    RawLine,
    StartFailed,
    WorkOrder,
)
from jobd.jobs.order import SidecarSettings, sidecar_order
from jobd.jobs.queue import AdmissionQueue
from jobd.jobs.reader import ReportLines, log_reader, report_reader
from jobd.jobs.record import Record
from jobd.jobs.secrets import SecretFiles
from jobd.store.errors import StoreError
from jobd.wire.job import JobSpec
from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL, Report

LOOK_AGAIN_S = 2.0
"""A job that runs is looked at this often even when the engine's event stream is silent."""
PULL_LIMIT_S = 1800.0
CLOCK_TOLERANCE_S = 1.0
OOM_EXIT_CODE = 137
DIRECT_ORDER_LIMIT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every supervisor works with. `on_change` hears of each stored change: before, after, spec."""

    engine: Orchestrator
    ledger: Ledger
    queue: AdmissionQueue
    clock: Clock
    sidecar: SidecarSettings
    log_max_bytes: int
    spool_path: Callable[[str], Path]
    secrets: SecretFiles
    on_change: Callable[[Record, Record, JobSpec], None]


class Supervisor:
    """Drives one job. `record` is the stored truth; `progress` is the latest word of a pull, for people."""

    def __init__(self, record: Record, spec: JobSpec, around: Surroundings) -> None:
        self.record = record
        self.spec = spec
        self.progress: str | None = None
        self._around = around
        self._seen: Observation | None = None
        self._hints = 0
        self._began: ContainerFacts | None = None
        self._died: ContainerFacts | None = None
        self._engine_away = False
        self._struck = False
        """The worker was sent a signal that jobd did not order. With the engine away as well: the engine is being stopped."""
        self._wake = asyncio.Event()
        self._changing = asyncio.Lock()
        self._interruptible: asyncio.Task[Any] | None = None
        self._reports = report_reader(
            around.engine, self._ref, ReportLines(self._report, lambda: self.record.id)
        )
        self._logs = log_reader(around.engine, self._ref, lambda: self.record, self._take_log)
        self._announcer = Announcer(around.ledger.log_frames)
        self._announcing: asyncio.Task[None] | None = None

    @property
    def settled(self) -> bool:
        """True where the state asks for nothing more."""
        return isinstance(demand(self.record, None, self._around.clock.now()), f.Retire)

    def hint(self, hint: Hint) -> None:
        """Something may have happened to the containers: look again, unless the hint says all there is to see."""
        self._hints += 1
        self._seen = None
        if hint.action == "disconnected":
            self._engine_away = True
        elif hint.role == "worker" and hint.action == "kill":
            self._struck = self.record.desired == "run" and not self.record.timed_out
        if hint.role == "worker" and hint.facts is not None:
            if hint.action == "start":
                self._began = hint.facts
            elif hint.action == "die":
                self._died = hint.facts
        self._wake.set()

    async def apply(self, fact: f.Fact) -> None:
        """Stores what `fact` makes of the record. Safe from any task: changes come one after the other.

        Raises:
            StoreError: nothing changed.
        """
        async with self._changing:
            before = self.record
            made = step(before, self.spec, fact, self._around.clock.now())
            if made.record == before and not made.drafts:
                return
            drafts = made.drafts
            if drafts and waits(before):
                # Events keep the order of the facts: what was logged before comes before.
                before, logged = await self._announce(leave_last=True)
                made = step(before, self.spec, fact, self._around.clock.now())
                drafts = (*logged, *made.drafts)
            self.record = await self._around.ledger.change(made.record, self.spec, drafts)
            self._announcer.announced(self.record)
            self._around.on_change(before, self.record, self.spec)
            if self.record.attempt != before.attempt:
                # The next attempt queues like any other job.
                self._around.queue.leave(self.record.uid)
        self._wake.set()

    async def wish(self, wish: f.CancelWished) -> None:
        """Stores a user's wish, then interrupts what would make it wait. Raises StoreError: nothing changed."""
        await self.apply(wish)
        if self._interruptible is not None:
            self._interruptible.cancel()
        if self.record.ended:
            self._around.queue.leave(self.record.uid)

    async def run(self) -> None:
        """Returns when the job is over and nothing is wished of it; is cancelled at jobd's end."""
        pause_s = FIRST_PAUSE_S
        self._announce_soon()
        try:
            while True:
                await self._follow_clock()
                asked = demand(self.record, self._seen, self._around.clock.now())
                if isinstance(asked, f.Retire):
                    return
                try:
                    await self._carry_out(asked)
                    pause_s, self.progress = FIRST_PAUSE_S, None
                except (EngineUnavailable, StoreError) as error:
                    fields = {"job_id": self.record.id, "action": type(asked).__name__, "error": str(error)}
                    log.warning("job waits, will try again", extra=fields)
                    self._seen = None
                    self._engine_away |= isinstance(error, EngineUnavailable)
                    self.progress = f"another try: {error}"
                    await self._pause(pause_s)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        finally:
            await self._logs.stop()
            await self._reports.stop()
            if self._announcing is not None:
                self._announcing.cancel()
            if self.record.ended:
                self._around.queue.leave(self.record.uid)
                self._around.spool_path(self.record.uid).unlink(missing_ok=True)
                self._around.secrets.remove(self.record.uid)

    async def _follow_clock(self) -> None:
        clock, record = self._around.clock, self.record
        offset = clock.offset()
        if not record.ended and (
            record.boot != clock.boot or abs(offset - record.clock_offset) > CLOCK_TOLERANCE_S
        ):
            await self.apply(f.ClockMoved(clock.boot, offset))

    async def _carry_out(self, asked: f.Demand) -> None:
        match asked:
            case f.Admit():
                await self._admit()
            case f.Pull():
                await self._pull()
            case f.Create():
                await self._create()
            case f.StartSidecar():
                await self._start_sidecar()
            case f.StartWorker():
                await self._start_worker()
            case f.Observe():
                await self._observe()
            case f.TellSidecar(succeeded):
                await self._tell_sidecar(SUCCEEDED_SIGNAL if succeeded else FAILED_SIGNAL)
            case f.DrainLogs():
                await self._logs.drain()
                await self.apply(f.LogsDrained())
            case f.Signal(role, kill):
                name = "SIGKILL" if kill else self.record.stop_signal
                await self._around.engine.signal(self._ref(), role, name)
                await self.apply(f.StopSent(kill))
            case f.Remove():
                await self._remove()
            case f.Wait(until):
                await self._wait(until)

    async def _admit(self) -> None:
        queue = self._around.queue
        queue.enter(self.record.uid)
        await queue.admitted(self.record.uid)
        await self.apply(f.Admitted())

    async def _pull(self) -> None:
        engine, spec = self._around.engine, self.spec
        try:
            async with asyncio.timeout(PULL_LIMIT_S):
                image = await self._unless_wished(
                    engine.ensure_image(spec.image, spec.pull, spec.platform, self._say)
                )
                if spec.needs_sidecar:
                    await self._unless_wished(engine.ensure_sidecar_image())
        except ImageUnavailable as error:
            await self.apply(f.SetupFailed(error.code, str(error)))
        except TimeoutError:
            await self.apply(f.SetupFailed("image-not-found", "the image was not pulled within half an hour"))
        except _Interrupted:
            return
        else:
            await self.apply(f.ImageReady(image))

    async def _create(self) -> None:
        await self._reports.stop()
        order = WorkOrder(
            self._ref(), self.spec, sidecar=self.spec.needs_sidecar, image_user=self.record.image_user
        )
        files = self._around.spool_path(self.record.uid) if self.record.has_spool else None
        try:
            if self.record.phase == "inputs":
                # The sidecar failed before anything else ran: nothing of it may be taken over.
                await self._around.engine.remove(self._ref())
            elif self.record.phase == "running":
                # Its start was asked for and did not happen: made anew, never started a second time.
                await self._around.engine.remove(self._ref(), "worker")
            created = await self._around.engine.create(order, files)
        except EngineUnavailable:
            raise
        except EngineError as error:
            await self.apply(f.SetupFailed(error.code, str(error)))
        else:
            await self.apply(f.Prepared(created))

    async def _start_sidecar(self) -> None:
        await self.apply(f.SidecarStarting())
        if self.record.phase != "inputs" or self.record.sidecar_intended_at is None:
            return
        self._seen = None
        secrets = None
        if self.spec.secrets:
            secrets = await asyncio.to_thread(self._around.secrets.read, self.record.uid)
            if secrets is None:
                await self.apply(
                    f.SetupFailed("input-failed", "the job's secrets are gone from the state folder")
                )
                return
        order = sidecar_order(self.record, self.spec, self._around.sidecar, secrets)
        try:
            await self._around.engine.start_sidecar(self._ref(), order)
        except EngineUnavailable:
            raise
        except EngineError as error:
            await self.apply(f.SetupFailed("input-failed", f"the sidecar did not start: {error}"))

    async def _start_worker(self) -> None:
        if self.spec.secrets:
            seen = await self._around.engine.observe(self._ref())
            if seen.sidecar is None or seen.sidecar.state != "running":
                # The memory that they were in went with it: the worker would find an empty folder.
                why = "the sidecar that held the job's secrets ended before the worker was started"
                await self.apply(f.SetupFailed("input-failed", why))
                return
        await self.apply(f.WorkerStarting())
        if self.record.phase != "running" or self.record.worker_over:
            return  # a wish came first
        self._seen = None
        try:
            await self._around.engine.start_worker(self._ref())
        except EngineUnavailable:
            raise
        except StartFailed as error:
            await self.apply(f.WorkerStartFailed(error.exit_code, str(error)))
        except EngineError as error:
            await self.apply(f.WorkerStartFailed(128, str(error)))
        else:
            began, self._began = self._told(self._began), None
            started_at = (began.started_at if began else None) or self._around.clock.now()
            worker = ContainerFacts(self.record.worker_id or "", "running", self.record.attempt, started_at)
            await self.apply(f.Observed(Observation(worker, None)))
            self._logs.start()

    async def _observe(self) -> None:
        died, self._died = self._told(self._died), None
        if died is not None and self.record.phase == "running" and self.record.started_at is not None:
            ended = replace(died, started_at=self.record.started_at)
            await self.apply(f.Observed(Observation(ended, None)))
            return
        hints = self._hints
        seen = await self._around.engine.observe(self._ref())
        sidecar_over = seen.sidecar is not None and seen.sidecar.state not in ("created", "running")
        if sidecar_over and self.record.phase in ("inputs", "outputs"):
            await self._reports.drain()
        elif seen.sidecar is not None and seen.sidecar.state == "running":
            self._reports.start()
        await self.apply(f.Observed(seen, sidecar_over, self._stopped_with_engine(seen.worker)))
        if self.record.started_at is not None and not self.record.worker_over:
            self._logs.start()
        if hints == self._hints:
            self._seen = seen

    async def _tell_sidecar(self, signal: str) -> None:
        if self._around.sidecar.direct and self.spec.callback is not None:
            # The sidecar's own callbacks must not overtake the exit event.
            await self._around.ledger.delivered(self.record.uid, DIRECT_ORDER_LIMIT_S)
        await self._around.engine.signal(self._ref(), "sidecar", signal)
        await self.apply(f.OutputsTold())

    def _told(self, told: ContainerFacts | None) -> ContainerFacts | None:
        """Returns what an event said of this attempt's worker. A 137 needs a look: it may be the kernel's doing."""
        if (
            told is None
            or told.id != self.record.worker_id
            or told.exit_code == OOM_EXIT_CODE
            or self._struck
        ):
            return None
        return told

    def _stopped_with_engine(self, worker: ContainerFacts | None) -> bool:
        """True where the worker's end is the engine's doing: it was away meanwhile, and the worker did not end by itself."""
        if worker is None or not worker.ended:
            if worker is not None and worker.state == "running":
                self._engine_away = self._struck = False
            return False
        killed = worker.exit_code == OOM_EXIT_CODE and not worker.oom_killed
        return self._engine_away and (self._struck or killed)

    async def _remove(self) -> None:
        await self._logs.stop()
        await self._reports.stop()
        await self._around.engine.remove(self._ref())
        await self.apply(f.Cleaned())

    async def _wait(self, until: datetime | None) -> None:
        left_s = LOOK_AGAIN_S
        if until is not None:
            left_s = min(left_s, (until - self._around.clock.now()) / timedelta(seconds=1))
        if await self._pause(left_s):
            return
        self._seen = None
        await self._follow_clock()  # before what has passed is counted
        await self.apply(f.TimePassed())
        if self.record.started_at is not None and not self.record.worker_over:
            usage = await self._around.engine.usage(self._ref())
            if usage is not None:
                await self.apply(f.Measured(usage))

    async def _pause(self, seconds: float) -> bool:
        """Waits for a wake-up, `seconds` at most; True where there was one."""
        sleeper = asyncio.ensure_future(self._around.clock.sleep(max(0.0, seconds)))
        waker = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
            return self._wake.is_set()
        finally:
            self._wake.clear()
            sleeper.cancel()
            waker.cancel()

    async def _unless_wished(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what `work` returns. Raises _Interrupted: a wish came first, and `work` was cancelled."""
        if self.record.ended:
            work.close()
            raise _Interrupted
        task = asyncio.create_task(work)
        self._interruptible = task
        try:
            await asyncio.wait({task})
            if task.cancelled():
                raise _Interrupted
            return task.result()
        finally:
            self._interruptible = None
            task.cancel()

    async def _report(self, said: Report) -> None:
        await self.apply(f.Reported(said))

    async def _take_log(self, lines: list[RawLine]) -> None:
        async with self._changing:
            batch = take_lines(self.record, lines, self._around.log_max_bytes)
            self.record = await self._around.ledger.change(batch.record, self.spec, (), batch)
            self._announcer.add(batch)
            if self._announcer.enough:
                await self._announce()
        self._announce_soon()

    def _announce_soon(self) -> None:
        """Has stored lines without an event get one, after a moment in which more may come."""
        if waits(self.record) and (self._announcing is None or self._announcing.done()):
            self._announcing = asyncio.create_task(self._announce_later(), name="announce")

    async def _announce_later(self) -> None:
        while waits(self.record):
            await self._around.clock.sleep(ANNOUNCE_AFTER_S)
            try:
                async with self._changing:
                    await self._announce()
            except StoreError as error:
                fields = {"job_id": self.record.id, "action": "announce", "error": str(error)}
                log.warning("log lines wait for their event", extra=fields)

    async def _announce(self, leave_last: bool = False) -> tuple[Record, tuple[f.Draft, ...]]:
        """Stores the events of all lines that have none; the caller holds the lock. With `leave_last` the last of them are not
        stored but returned, with the record that has them, to go into the caller's commit. Raises StoreError.
        """
        while waits(self.record):
            record, drafts = await self._announcer.next_events(self.record, self.spec)
            if leave_last and not waits(record):
                return record, drafts
            self.record = await self._around.ledger.change(record, self.spec, drafts)
            self._announcer.announced(self.record)
        return self.record, ()

    def _ref(self) -> JobRef:
        return JobRef(self.record.uid, self.record.id, self.record.attempt)

    def _say(self, text: str) -> None:
        self.progress = text


class _Interrupted(Exception):
    """A wish to cancel ended the work."""
