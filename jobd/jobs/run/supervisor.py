"""Drives one job from its admission to its end: executes the action that `next_action.py` returns, until none is left.

Owns the loop, its pauses and what ends a pause; decides nothing itself. Every unfinished job has one supervisor, started by a submission
or by a start of jobd: the next action depends on the state alone, not on its history. `job_state.py` keeps the record; `admission.py`, `preparation.py`,
`execution.py` and `output_collection.py` execute the actions.
"""

import asyncio
import logging
import random
from datetime import datetime, timedelta

from jobd.jobs.admission.slot import Slot
from jobd.jobs.files_needed import files_needed
from jobd.jobs.port.errors import EngineError, EngineUnavailable
from jobd.jobs.port.hints import Connected, Hint
from jobd.jobs.port.model import Progress
from jobd.jobs.record.parts import EngineErrors
from jobd.jobs.record.record import Record
from jobd.jobs.record.text_limits import short
from jobd.jobs.run.admission import Admission
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.execution import Execution
from jobd.jobs.run.executors import Executors
from jobd.jobs.run.job_state import JobState
from jobd.jobs.run.wakeup import Wakeup
from jobd.jobs.state import actions, facts
from jobd.jobs.state.next_action import next_action
from jobd.jobs.state.observed_state import ObservedState, observe_interval_s
from jobd.store.errors import StoreError, UnreadableJob
from jobd.wire.duration import format_duration

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
NO_ERRORS = EngineErrors(action="", seconds=0.0)

log = logging.getLogger(__name__)


class Supervisor:
    """Drives one job."""

    def __init__(self, record: Record, deps: Dependencies) -> None:
        self._progress: Progress | None = None
        self._deps = deps
        self._wake = Wakeup()
        self._worth_a_try = Wakeup()
        """Ends the pause after a failure, on a user's request or a reconnect. Other hints may come from the failed try itself."""
        self._erred_at: float | None = None
        """When the engine last answered with an error, in monotonic seconds."""
        self._observed_state = ObservedState()
        self._slot = Slot(deps.queue, record)
        self._job_state = JobState(record, deps, self._changed)
        self._admission = Admission(self._slot, self._job_state, deps)
        self._executors: Executors | None = None

    def _made(self) -> Executors:
        if self._executors is None:
            self._executors = Executors(self._job_state, self._observed_state, self._deps, self._say)
        return self._executors

    @property
    def _execution(self) -> Execution:
        return self._made().execution

    @property
    def progress(self) -> Progress | None:
        """How far the preparation is, why the worker's start takes its time, or why an action is tried again."""
        return self._progress or self._observed_state.pending or None

    @property
    def record(self) -> Record:
        """The stored record."""
        return self._job_state.record

    @property
    def _errors(self) -> EngineErrors:
        return self.record.attempt.engine_errors or NO_ERRORS

    @property
    def settled(self) -> bool:
        """True if the state asks for no further action."""
        return isinstance(next_action(self.record, None, self._deps.clock.now()), actions.Done)

    def take_slot(self) -> None:
        """Takes the place that the record gives the job, in the queue or among the running jobs."""
        self._slot.take(self.record)
        self._deps.holds.follow(self.record)

    def begin_again(self, stored: Record) -> None:
        """After a fault: the next run continues from the stored record."""
        self._job_state.record = stored
        self._observed_state.forget()
        self._changed()

    def hint(self, hint: Hint) -> None:
        """The containers may have changed: jobd observes them again, unless the hint has all facts."""
        self._observed_state.take_hint(hint)
        self._wake.set()
        if isinstance(hint, Connected):
            self._worth_a_try.set()

    def wake(self) -> None:
        """A pause of the group or of all jobs has changed."""
        self._wake.set()
        self._worth_a_try.set()

    async def apply(self, fact: facts.Fact) -> bool:
        """Applies `fact` to the record and stores the result; returns whether anything changed. Safe from any task. Raises StoreError:
        nothing changed.
        """
        return await self._job_state.apply(fact)

    async def request(self, request: facts.CancelRequested) -> None:
        """Stores a user's request, then interrupts what would delay it. Raises StoreError: nothing changed."""
        await self.apply(request)
        self._worth_a_try.set()
        if self._executors is not None:
            self._executors.interrupt()
        if self.record.ended:
            self._slot.end(self.record)

    async def run(self) -> None:
        """Returns when the job's state asks for no further action; jobd's end cancels the call. Raises UnreadableJob."""
        pause_s = FIRST_PAUSE_S
        self._job_state.announce_soon()
        try:
            while True:
                await self._follow_clock()
                action = next_action(
                    self.record,
                    self._observed_state.observation,
                    self._deps.clock.now(),
                    group_paused=self._deps.queue.freezes(self.record.scheduling.group) is not None,
                )
                if isinstance(action, actions.Done):
                    return
                try:
                    if self.record.phase not in ("queued", "done"):
                        await self._job_state.hold_spec()
                    await self._carry_out(action)
                    pause_s, self._progress = FIRST_PAUSE_S, None
                    if self._errors.action == type(action).__name__:
                        self._erred_at = None
                        await self.apply(facts.EngineAnswered(type(action).__name__))
                except UnreadableJob:
                    raise  # another try would fail too
                except (EngineError, StoreError) as error:
                    fields = {"job_id": self.record.id, "action": type(action).__name__, "error": str(error)}
                    log.warning("an action failed; jobd tries again", extra=fields)
                    self._observed_state.forget()
                    self._progress = f"another try: {short(str(error))}"
                    if await self._counted(action, error):
                        # Other actions may succeed between two tries of this action; they do not shorten its pause.
                        pause_s = max(pause_s, min(self._errors.seconds, LONGEST_PAUSE_S))
                    if self.record.ended and not self.record.is_deleted:
                        continue
                    await self._pause(pause_s, self._worth_a_try)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        except UnreadableJob:
            self._slot.give_up()  # the containers stay as they are until a user deletes the job
            raise
        finally:
            # The calls that cannot fail come first. The next run repeats a call that fails here.
            self._job_state.stop_announcing()
            if self.record.ended:
                self._slot.end(self.record)
            if self._executors is not None:
                await self._execution.stop_reading()
                if self.record.ended:
                    self._deps.engine.release_run(self._job_state.ref, self._files_needed)
            if self.record.ended:
                self._deps.spool_path(self.record.uid).unlink(missing_ok=True)
                self._deps.secrets.remove(self.record.uid)
            if self.record.ended:
                await self._release_workspaces()
            if self.record.ended and self.record.is_deleted:
                await self._deps.outputs.remove(self.record.uid)

    def _files_needed(self) -> float:
        return files_needed(self.record, self._deps.holds, self._deps.clock.now())

    async def _release_workspaces(self) -> None:
        """Removes the sidecar that has the workspaces of earlier jobs mounted, and lets jobd remove those workspaces. If the engine does not
        answer, the sidecar stays until jobd removes this job's containers.
        """
        if self.record.removal is None and any(source.files for source in self.record.sources):
            try:
                await self._execution.remove_sidecar()
            except EngineError as error:
                fields = {"job_id": self.record.id, "action": "remove-sidecar", "error": str(error)}
                log.warning("the sidecar of an ended job is not removed yet", extra=fields)
        self._deps.holds.follow(self.record)
        if self.record.removal is not None:
            self._deps.holds.end_removal(self.record.uid)

    async def _counted(self, action: actions.Action, error: Exception) -> bool:
        """Counts an error that the engine has answered with: a job fails if such errors continue for too long. Returns whether the engine
        answered; if the engine did not answer, the job waits for the engine without a limit.
        """
        if not isinstance(error, EngineError) or (
            isinstance(error, EngineUnavailable) and not error.answered
        ):
            self._erred_at = None
            return False
        now = self._deps.clock.monotonic()
        seen_s = now - self._erred_at if self._erred_at is not None and self._errors.action else 0.0
        limit_s = self._deps.engine_error_limit_s
        try:
            await self.apply(facts.EngineErred(type(action).__name__, error.advice, seen_s, limit_s))
        except StoreError as refused:
            fields = {"job_id": self.record.id, "action": "count-error", "error": str(refused)}
            log.warning("an error of the engine is not counted", extra=fields)
            return True
        self._erred_at = now
        left_s = limit_s - self._errors.seconds
        if self._errors.action and left_s > 0:
            self._progress = (
                f"another try: {error}; the job fails after {format_duration(round(left_s))} more of that"
            )
        return True

    async def _follow_clock(self) -> None:
        if self._slot.waits(self.record):
            return  # the job awaits no time, and the fact of its admission follows the clock
        clock = self._deps.clock
        offset = clock.offset()
        if self._job_state.clock_moved(self.record, offset):
            await self.apply(facts.ClockMoved(clock.boot, offset))

    async def _carry_out(self, action: actions.Action) -> None:
        match action:
            case actions.Admit():
                await self._admission.admit()
            case actions.Prepare():
                await self._execution.stop_reading_reports()
                await self._made().preparation.prepare()
                self._execution.start_reading_reports()
            case actions.StartSidecar():
                await self._made().preparation.start_inputs()
                self._execution.start_reading_reports()
            case actions.StartWorker():
                await self._execution.start_worker()
            case actions.RemoveUnstarted(role):
                await self._execution.remove_unstarted(role)
            case actions.Observe():
                await self._execution.observe()
            case actions.CollectOutputs():
                await self._made().collection.collect()
            case actions.TellSidecar(succeeded):
                await self._execution.notify_sidecar(succeeded)
            case actions.DrainLogs():
                await self._execution.drain_log()
            case actions.FreezeWorker():
                await self._execution.freeze()
            case actions.ThawWorker():
                await self._execution.thaw()
            case actions.Signal(role, kill):
                await self._execution.stop(role, kill)
            case actions.Remove():
                await self._execution.remove()
            case actions.Wait(until):
                await self._wait(until)

    async def _wait(self, until: datetime | None) -> None:
        left_s = observe_interval_s(self._deps.queue.running, random.random())  # noqa: S311 - no secret
        if until is not None:
            left_s = min(left_s, (until - self._deps.clock.now()) / timedelta(seconds=1))
        if await self._pause(left_s, self._wake):
            return
        self._observed_state.forget()
        if self.record.phase == "queued":
            return  # time alone changes nothing of it, and a fact would read the job's spec
        await self.apply(facts.TimePassed())
        await self._execution.measure()

    async def _pause(self, seconds: float, wake: Wakeup) -> bool:
        """Waits for `wake`, `seconds` at most; returns whether `wake` was set."""
        sleeper = asyncio.ensure_future(self._deps.clock.sleep(max(0.0, seconds)))
        waker = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
            return wake.is_set()
        finally:
            wake.clear()
            sleeper.cancel()
            waker.cancel()

    def _changed(self) -> None:
        if not self.record.ended or self.record.is_deleted:
            self._deps.holds.follow(self.record)
        else:
            self._deps.holds.end_reading(self.record)
        self._slot.follow(self.record)
        self._wake.set()

    def _say(self, progress: Progress | None) -> None:
        self._progress = progress
