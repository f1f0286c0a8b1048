"""A job's containers from the worker's start to their removal: starting, observing, signalling, reading logs.

Owns these actions, their facts and both log followers. `next_action.py` decides which action is next; `preparation.py` has the earlier ones.
"""

import asyncio
from dataclasses import replace

from jobd.jobs.log.container_log_follower import ContainerLogFollower
from jobd.jobs.log.output_follower import OutputFollower
from jobd.jobs.port.errors import EngineError, EngineUnavailable, RefusedByEngine, StartFailed
from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause, LogBatch, Observation, Role
from jobd.jobs.port.protocols import ExecutionEngine
from jobd.jobs.record.states import Running
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.job_state import JobState
from jobd.jobs.run.sidecar_reports import SidecarReports, follow_reports
from jobd.jobs.state import facts
from jobd.jobs.state.next_action import has_succeeded
from jobd.jobs.state.observed_state import ObservedState
from jobd.jobs.state.transitions.outcome import outputs_follow, sidecar_waits
from jobd.store.errors import StoreError

DIRECT_ORDER_LIMIT_S, EARLY_NOTIFICATION_LIMIT_S = 10.0, 1.0
"""The exit event waits no longer for the engine's answer to the sidecar's signal."""
_OVER = (ContainerState.ENDED, ContainerState.GONE)


class Execution:
    """Every call is safe to repeat; EngineUnavailable and StoreError mean that the caller repeats the call."""

    def __init__(
        self,
        job_state: JobState,
        observed_state: ObservedState,
        engine: ExecutionEngine,
        deps: Dependencies,
    ) -> None:
        self._job_state = job_state
        self._observed_state = observed_state
        self._engine = engine
        self._deps = deps
        reports = SidecarReports(job_state.take_reports, lambda: job_state.record.id)
        self._reports = follow_reports(engine, deps.clock, lambda: job_state.ref, reports)
        self._output = OutputFollower(engine, deps.live_outputs, lambda: job_state.ref, deps.notify)
        self._logs = ContainerLogFollower(
            engine, deps.clock, "worker", lambda: (job_state.ref, job_state.log_cursor()), self._take_log
        )

    async def _take_log(self, read: LogBatch) -> None:
        await self._job_state.take_log(replace(read, lines=await self._output.resolve_newlines(read.lines)))

    async def stop_reading(self) -> None:
        """Stops following both containers' logs; a batch that is being stored is stored first. Closes the worker's input."""
        await self._logs.stop()
        await self._output.stop()
        await self._reports.stop()
        await self._deps.inputs.close(self._job_state.record.uid)

    def interrupt(self) -> None:
        """Ends the wait for a client: a user wants the job to end."""
        self._deps.attachments.release(self._job_state.record.uid)

    def start_reading_reports(self) -> None:
        """Follows the reports of a sidecar that was just started, if any: the first ones come before the next observation."""
        if self._job_state.order_given and self._job_state.record.phase == "inputs":
            self._reports.start()

    async def stop_reading_reports(self) -> None:
        """Stops following the sidecar's reports; a report that is being stored is stored first."""
        await self._reports.stop()

    async def start_worker(self) -> None:
        """Starts the worker, unless a user has cancelled the job meanwhile."""
        job_state = self._job_state
        if job_state.spec.attach and job_state.record.phase == "running":
            await self._deps.attachments.hold(job_state.record.uid)
        if not isinstance(job_state.record.state, Running):
            return None  # a user has cancelled the job, perhaps before the wait
        if refusal := await self._deps.mounts.refusal(job_state.spec, job_state.record.caller):
            await job_state.apply(facts.SetupFailed("input-failed", refusal))
            return None
        if sidecar_waits(job_state.spec) and (lost := await self._lost_sidecar()):
            await job_state.apply(lost)
            return None
        # Attaching waits for the engine, the commit waits for the disk.
        following = asyncio.gather(
            self._output.attach(job_state.record.log.seq),
            self._deps.attachments.admit(job_state.record.uid),
        )
        try:
            await job_state.apply(facts.WorkerStarting())
        finally:
            await following
        if job_state.record.phase != "running" or job_state.record.worker_over:
            return await self._output.stop()  # a user has cancelled the job
        self._observed_state.forget()
        hint_count_before = self._observed_state.hint_count
        try:
            state = await self._engine.start_worker(job_state.ref)
        except EngineUnavailable as error:
            if error.unsent:
                await job_state.apply(facts.StartUnsent())
            raise
        except EngineError as error:
            code = error.exit_code if isinstance(error, StartFailed) else None
            await job_state.apply(facts.WorkerStartFailed(code, error.advice))
        else:
            if state is ContainerState.STARTING:
                return None
            record, now = job_state.record, self._deps.clock.now()
            asked_at = record.worker.asked_at if record.worker is not None else now
            began = self._observed_state.start_event(record)
            started_at = began.started_at if began else None
            if started_at is None or not asked_at <= started_at <= now:
                started_at = now  # the engine gave no time, or a time by another clock; the start was just before the answer
            number = record.attempt.number
            worker = ContainerFacts(record.worker_id or "", ContainerState.RUNNING, number, started_at)
            await job_state.apply(facts.Observed(Observation(worker, None)))
            self._logs.start()
            self._observed_state.started(worker, hint_count_before)

    async def _lost_sidecar(self) -> facts.SidecarLost | None:
        """Returns the fact if the sidecar does not wait for the worker's end: its secrets ended with it, and nobody would deliver outputs."""
        sidecar = (await self._engine.observe(self._job_state.ref)).sidecar
        if sidecar is not None and sidecar.state is ContainerState.RUNNING:
            return None
        if sidecar is None or not sidecar.ended:
            return facts.SidecarLost("the sidecar was removed before the worker was started")
        cause = await self._engine.end_cause(self._job_state.ref, "sidecar", sidecar)
        why = f"the sidecar ended with code {sidecar.exit_code} before the worker was started"
        return facts.SidecarLost(why, counts=cause is not EndCause.ENGINE_STOPPED)

    async def remove_unstarted(self, role: Role) -> None:
        """Removes a container whose start was requested, unless the container has run; then observes it, or uses the engine's end event."""
        job_state = self._job_state
        container_id = job_state.record.worker_id if role == "worker" else job_state.record.sidecar_id
        if container_id is None:
            await self.observe()
            return
        fate = await self._engine.remove_unstarted(job_state.ref, role, container_id)
        self._observed_state.forget()
        # A sidecar may load the inputs twice, so what is not known does no harm.
        if fate.kind == "never" or (role == "sidecar" and fate.kind == "unknown"):
            if role == "worker":
                await self._output.stop()
            await job_state.apply(facts.NeverStarted(role))
        elif fate.kind == "began" and fate.end is None:
            await self.observe()
        elif role == "sidecar":
            await job_state.apply(facts.Observed(Observation(None, fate.end), reports_drained=True))
        else:
            # The container is removed, and with it what an exit code without a cause means. Draining marks the log as incomplete.
            end = None if fate.end is None or fate.end.cause is EndCause.UNKNOWN else fate.end
            await job_state.apply(facts.Observed(Observation(end, None)))

    async def observe(self) -> None:
        """Observes the containers, or takes the worker's end from a hint; reads their logs."""
        job_state, observed_state = self._job_state, self._observed_state
        if job_state.record.input == "open" and not self._deps.inputs.holds(job_state.record.uid):
            await job_state.apply(facts.InputCut())
        died = observed_state.pop_end_event(job_state.record)
        record = job_state.record
        if died is not None and record.phase == "running" and record.started_at is not None:
            await job_state.apply(facts.Observed(Observation(died, None)))
            return
        hints_before = observed_state.hint_count
        observation = await self._engine.observe(job_state.ref)
        sidecar_over = observation.sidecar is not None and observation.sidecar.state in _OVER
        if sidecar_over and job_state.record.phase in ("inputs", "outputs"):
            await self._reports.drain()
        elif observation.sidecar is not None and observation.sidecar.state is ContainerState.RUNNING:
            self._reports.start()
        observation = await self._with_end_cause(observation)
        await job_state.apply(facts.Observed(observation, sidecar_over))
        if job_state.record.started_at is not None and not job_state.record.worker_over:
            self._logs.start()
            if observation.worker is None or not observation.worker.frozen:  # a frozen worker prints nothing
                await self._output.attach_late()
        observed_state.keep(observation, hints_before)

    async def _with_end_cause(self, observation: Observation) -> Observation:
        """Returns the observation with the cause of a container's end that jobd did not order.

        Raises EngineUnavailable: the cause is not known yet.
        """
        record, engine, ref = self._job_state.record, self._engine, self._job_state.ref
        if record.end_ordered:
            return observation
        if record.phase == "inputs" and observation.sidecar is not None and observation.sidecar.ended:
            cause = await engine.end_cause(ref, "sidecar", observation.sidecar)
            return replace(observation, sidecar=replace(observation.sidecar, cause=cause))
        if record.phase == "running" and observation.worker is not None and observation.worker.ended:
            cause = await engine.end_cause(ref, "worker", observation.worker)
            return replace(observation, worker=replace(observation.worker, cause=cause))
        return observation

    async def measure(self) -> None:
        """Measures a running worker."""
        record = self._job_state.record
        runs = record.started_at is not None and not record.worker_over
        if runs and (usage := await self._engine.usage(self._job_state.ref)) is not None:
            await self._job_state.apply(facts.Measured(usage))

    async def drain_log(self) -> None:
        """Reads the ended worker's log to its end, or stores a mark that says why the end is missing. Meanwhile the sidecar begins its
        outputs, if outputs follow for certain.
        """
        notifying = asyncio.ensure_future(self._notify_early())
        try:
            try:
                await self._read_log_to_end()
            except (EngineError, StoreError):
                # The signal may take longer than the read that fails. jobd's end, which cancels the call, does not wait for the signal.
                await asyncio.wait({notifying}, timeout=EARLY_NOTIFICATION_LIMIT_S)
                raise
            await asyncio.wait({notifying}, timeout=EARLY_NOTIFICATION_LIMIT_S)
            is_notified = notifying.done() and notifying.result()
        finally:
            notifying.cancel()
            await asyncio.wait({notifying}, timeout=EARLY_NOTIFICATION_LIMIT_S)
        await self._output.stop()
        await self._job_state.apply(facts.LogsDrained(), *([facts.SidecarNotified()] if is_notified else []))
        self._observed_state.forget()  # an observation from before the worker's end

    async def _read_log_to_end(self) -> None:
        # While the engine removes the ended worker's network, it gives no log: nothing is asked of it where the log is known to be whole.
        if self._observed_state.end_heard and await self._output.is_in_log():
            await self._logs.stop()
        elif missing := await self._logs.drain():
            await self._job_state.mark_log(missing)

    async def _notify_early(self) -> bool:
        """Returns whether the sidecar was notified; if not, jobd does that after the exit event."""
        # The sidecar's own callbacks must not overtake the exit event.
        spec = self._job_state.spec
        is_direct = self._deps.sidecar.direct and spec.callback is not None
        if is_direct or not outputs_follow(self._job_state.record, spec):
            return False
        try:
            await self._engine.notify_worker_ended(self._job_state.ref, has_succeeded(self._job_state.record))
        except EngineError:
            return False
        return True

    async def notify_sidecar(self, succeeded: bool) -> None:
        """Notifies the sidecar that the worker has ended, and how."""
        if self._deps.sidecar.direct and self._job_state.spec.callback is not None:
            # The sidecar's own callbacks must not overtake the exit event.
            await self._deps.repository.delivered(self._job_state.record.uid, DIRECT_ORDER_LIMIT_S)
        await self._engine.notify_worker_ended(self._job_state.ref, succeeded)
        await self._job_state.apply(facts.SidecarNotified())
        self._observed_state.forget()  # the last observation may predate the worker's end

    async def freeze(self) -> None:
        """Freezes the worker, unless a user has cancelled the job meanwhile."""
        job_state = self._job_state
        await job_state.apply(facts.WorkerFreezing())
        if job_state.record.end_ordered:
            return
        try:
            await self._engine.freeze_worker(job_state.ref)
        except RefusedByEngine as error:
            await job_state.apply(facts.FreezeRefused(error.advice))
        else:
            await job_state.apply(facts.WorkerFrozen())
        self._observed_state.forget()

    async def thaw(self) -> None:
        """Lets the worker run again."""
        job_state = self._job_state
        await job_state.apply(facts.WorkerThawing())
        try:
            await self._engine.thaw_worker(job_state.ref)
        except RefusedByEngine:
            if not job_state.record.end_ordered:
                raise  # jobd tries again; a worker that is to end gets its signals now
        await job_state.apply(facts.WorkerThawed())
        self._observed_state.forget()

    async def stop(self, role: Role, kill: bool) -> None:
        """Sends the signal that ends a container."""
        name = "SIGKILL" if kill else self._job_state.record.stop_signal
        await self._engine.signal(self._job_state.ref, role, name)
        await self._job_state.apply(facts.StopSent(kill))
        self._observed_state.forget()

    async def remove_sidecar(self) -> None:
        """Removes the sidecar of an ended job."""
        await self._engine.remove(self._job_state.ref, "sidecar")

    async def remove(self) -> None:
        """Removes containers and volume."""
        await self.stop_reading()
        await self._engine.remove(self._job_state.ref)
        await self._job_state.apply(facts.Cleaned())
