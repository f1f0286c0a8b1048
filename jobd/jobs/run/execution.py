"""A job's containers from the start of the worker to their removal: starting, looking, signalling, reading what they print.

Owns how these actions are carried out and which facts come of them, and the readers of both containers. What is to be done is
decided by `next_action.py`; what comes before the worker is in `preparation.py`.
"""

import asyncio
from dataclasses import replace

from jobd.jobs.log.container_log_follower import ReportLines, log_reader, report_reader
from jobd.jobs.log.output_follower import OutputFollower
from jobd.jobs.orchestrator import (
    ContainerFacts,
    EngineError,
    EngineUnavailable,
    Observation,
    RawLine,
    Role,
    StartFailed,
)
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.state import facts
from jobd.jobs.state.observed_state import OOM_EXIT_CODE, UNKNOWN_EXIT_CODE, ObservedState
from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL

DIRECT_ORDER_LIMIT_S = 10.0
STAYS_LIMIT_S = 2.0
"""One that is just coming up, behind a socket that others hold open for it, takes longer to answer."""


class Execution:
    """One job's containers while they run.

    Every call is safe to repeat and raises EngineUnavailable or StoreError where it is to be repeated.
    """

    def __init__(self, job_state: JobState, observed_state: ObservedState, deps: Dependencies) -> None:
        self._job_state = job_state
        self._observed_state = observed_state
        self._deps = deps
        reports = ReportLines(job_state.take_report, job_state.take_unread, lambda: job_state.record.id)
        self._reports = report_reader(deps.engine, deps.clock, lambda: job_state.ref, reports)
        self._output = OutputFollower(deps.engine, deps.live_outputs, lambda: job_state.ref, deps.tell)
        self._logs = log_reader(
            deps.engine, deps.clock, lambda: job_state.ref, job_state.log_cursors, self._take_log
        )

    async def _take_log(self, lines: list[RawLine]) -> None:
        await self._job_state.take_log(await self._output.with_ends(lines))

    async def stop_reading(self) -> None:
        """Ends the following of what both containers print, after what is being stored."""
        await self._logs.stop()
        await self._output.stop()
        await self._reports.stop()

    async def stop_reading_reports(self) -> None:
        """Ends the following of the sidecar's reports, after the one that is being stored."""
        await self._reports.stop()

    async def start_worker(self) -> None:
        """Starts the worker, unless a user has asked for the job's end meanwhile."""
        job_state = self._job_state
        if job_state.spec.secrets:
            seen = await self._deps.engine.observe(job_state.ref)
            if seen.sidecar is None or seen.sidecar.state != "running":
                # The memory that they were in went with it: the worker would find an empty folder.
                why = "the sidecar that held the job's secrets ended before the worker was started"
                await job_state.apply(facts.SetupFailed("input-failed", why))
                return
        # One waits for the engine, the other one for the disk.
        following = asyncio.ensure_future(self._output.begin(job_state.record.log.seq))
        try:
            await job_state.apply(facts.WorkerStarting())
        finally:
            await following
        if job_state.record.phase != "running" or job_state.record.worker_over:
            await self._output.stop()
            return  # a user has asked for the job's end
        self._observed_state.forget()
        try:
            await self._deps.engine.start_worker(job_state.ref)
        except EngineUnavailable:
            raise
        except StartFailed as error:
            await job_state.apply(facts.WorkerStartFailed(error.exit_code, error.advice))
        except EngineError as error:
            await job_state.apply(facts.WorkerStartFailed(128, error.advice))
        else:
            record = job_state.record
            began = self._observed_state.beginning(record)
            started_at = (began.started_at if began else None) or self._deps.clock.now()
            worker = ContainerFacts(record.worker_id or "", "running", record.attempt.number, started_at)
            await job_state.apply(facts.Observed(Observation(worker, None)))
            self._logs.start()

    async def remove_unstarted(self, role: Role) -> None:
        """Removes a container whose start was asked for, unless it has run; then looks at it, or takes the engine's word for its end."""
        job_state = self._job_state
        container_id = job_state.record.worker_id if role == "worker" else job_state.record.sidecar_id
        if container_id is None:
            await self.observe()
            return
        fate = await self._deps.engine.remove_unstarted(job_state.ref, role, container_id)
        self._observed_state.forget()
        if fate.kind == "never":
            if role == "worker":
                await self._output.stop()
            await job_state.apply(facts.NeverStarted(role))
        elif fate.kind == "began" and fate.end is None:
            await self.observe()
        elif role == "sidecar":
            await job_state.apply(facts.Observed(Observation(None, fate.end), reports_drained=True))
        else:
            await self._ended_unseen(fate.end)

    async def _ended_unseen(self, end: ContainerFacts | None) -> None:
        """The worker's container is gone. `end`: it ran and ended before it was removed; its log is marked as it is drained."""
        if end is not None and end.exit_code in (OOM_EXIT_CODE, UNKNOWN_EXIT_CODE):
            end = None  # only a look at the container would say what these stand for
        await self._job_state.apply(facts.Observed(Observation(end, None)))

    async def observe(self) -> None:
        """Looks at the containers, or takes the engine's word for the worker's end; reads what they print."""
        job_state, observed_state = self._job_state, self._observed_state
        died = observed_state.pop_end_event(job_state.record)
        if (
            died is not None
            and job_state.record.phase == "running"
            and job_state.record.started_at is not None
        ):
            await job_state.apply(facts.Observed(Observation(died, None)))
            return
        heard_before = observed_state.heard
        seen = await self._deps.engine.observe(job_state.ref)
        sidecar_over = seen.sidecar is not None and seen.sidecar.state not in ("created", "running")
        if sidecar_over and job_state.record.phase in ("inputs", "outputs"):
            await self._reports.drain()
        elif seen.sidecar is not None and seen.sidecar.state == "running":
            self._reports.start()
        watched = seen.sidecar if job_state.record.phase == "inputs" else seen.worker
        stopped = await self._stopped_with_engine(watched)
        if not stopped and seen.worker is not None and self._may_lack_memory(seen.worker):
            killed = await self._deps.engine.killed_for_memory(seen.worker)
            seen = replace(seen, worker=replace(seen.worker, oom_killed=killed))
        await job_state.apply(facts.Observed(seen, sidecar_over, stopped))
        if job_state.record.started_at is not None and not job_state.record.worker_over:
            self._logs.start()
            await self._output.join()
        observed_state.looked(seen, heard_before)

    def _may_lack_memory(self, worker: ContainerFacts) -> bool:
        """True for an end that the kernel may have brought about and that nobody here ordered."""
        record = self._job_state.record
        ordered = record.end_ordered or record.phase != "running"
        return worker.ended and worker.exit_code == OOM_EXIT_CODE and not (worker.oom_killed or ordered)

    async def _stopped_with_engine(self, watched: ContainerFacts | None) -> bool:
        """Tells whether what is seen of this container is the engine's doing: by the engine's record of its own start, or, where
        that does not tell, by what was heard. Raises EngineUnavailable: that is not known yet.
        """
        observed_state, record = self._observed_state, self._job_state.record
        if record.end_ordered:
            return observed_state.stopped_with_engine(
                watched
            )  # the end was ordered here, whoever brought it about
        if observed_state.is_in_doubt(watched) and not await self._engine_stays():
            observed_state.engine_left()
            return observed_state.stopped_with_engine(watched, leaving=True)
        was_up: bool | None = None
        if watched is not None and observed_state.needs_record(watched):
            try:
                was_up = await self._deps.engine.was_up_throughout(watched)
            except EngineUnavailable:
                observed_state.ended_with_engine()
                raise
        if was_up is not True and observed_state.awaiting_event_stream(watched):
            raise EngineUnavailable("what has happened meanwhile is not heard yet")
        return observed_state.stopped_with_engine(watched, was_up=was_up)

    async def _engine_stays(self) -> bool:
        """An engine that is being stopped answers on for a while, but takes nothing new."""
        try:
            async with asyncio.timeout(STAYS_LIMIT_S):
                await self._deps.engine.ping()
        except (EngineUnavailable, TimeoutError):
            return False
        return True

    async def measure(self) -> None:
        """Measures the worker, where it runs."""
        if self._job_state.record.started_at is not None and not self._job_state.record.worker_over:
            usage = await self._deps.engine.usage(self._job_state.ref)
            if usage is not None:
                await self._job_state.apply(facts.Measured(usage))

    async def drain_log(self) -> None:
        """Reads the ended worker's log to its end, or has the log say why that was not possible."""
        missing = await self._logs.drain()
        if missing is not None:
            await self._job_state.mark_log(missing)
        await self._job_state.apply(facts.LogsDrained())
        await self._output.stop()

    async def tell_sidecar(self, succeeded: bool) -> None:
        """Tells the sidecar that the worker has ended, and how."""
        if self._deps.sidecar.direct and self._job_state.spec.callback is not None:
            # The sidecar's own callbacks must not overtake the exit event.
            await self._deps.repository.delivered(self._job_state.record.uid, DIRECT_ORDER_LIMIT_S)
        signal = SUCCEEDED_SIGNAL if succeeded else FAILED_SIGNAL
        await self._deps.engine.signal(self._job_state.ref, "sidecar", signal)
        await self._job_state.apply(facts.OutputsTold())
        self._observed_state.forget()  # what was seen before may be from the time when the worker ran: it is not told again over that

    async def stop(self, role: Role, kill: bool) -> None:
        """Sends the signal that ends a container."""
        name = "SIGKILL" if kill else self._job_state.record.stop_signal
        await self._deps.engine.signal(self._job_state.ref, role, name)
        await self._job_state.apply(facts.StopSent(kill))
        self._observed_state.forget()

    async def remove(self) -> None:
        """Removes containers and volume."""
        await self.stop_reading()
        await self._deps.engine.remove(self._job_state.ref)
        await self._job_state.apply(facts.Cleaned())
