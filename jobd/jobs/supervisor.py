"""One job from its admission to its end: asks the state what it demands and has it carried out, until nothing is left to do.

Owns the loop, its pauses and what wakes it; decides nothing itself. There is one supervisor for a job that is not
over, started by a submission and by a boot alike: what a state demands does not depend on how it was reached. The record is
kept by `journal.py`, the demands are carried out by `preparation.py` and `execution.py`.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from jobd.jobs import facts as f
from jobd.jobs.collection import Collection
from jobd.jobs.demand import demand
from jobd.jobs.execution import Execution
from jobd.jobs.journal import Journal
from jobd.jobs.orchestrator import EngineError, EngineUnavailable, Hint
from jobd.jobs.preparation import Preparation
from jobd.jobs.record import Record
from jobd.jobs.sight import Sight
from jobd.jobs.surroundings import Surroundings
from jobd.jobs.texts import short
from jobd.store.errors import StoreError, UnreadableJob
from jobd.wire.duration import format_duration

LOOK_AGAIN_S = 2.0
"""A job that runs is looked at this often even when the engine's event stream is silent."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0

log = logging.getLogger(__name__)


class Supervisor:
    """Drives one job. `progress` is the latest word of a pull, for people."""

    def __init__(self, record: Record, around: Surroundings) -> None:
        self.progress: str | None = None
        self._around = around
        self._wake = asyncio.Event()
        self._worth_a_try = asyncio.Event()
        """Ends the pause after a failure: a wish, or the engine is back. Other hints may be of what has just been tried."""
        self._erred_at: float | None = None
        """The last error that the engine has answered with, in monotonic seconds."""
        self._sight = Sight()
        self._journal = Journal(record, around, self._wake.set)
        self._preparation = Preparation(self._journal, self._sight, around, self._say)
        self._execution = Execution(self._journal, self._sight, around)
        self._collection = Collection(self._journal, around)

    @property
    def record(self) -> Record:
        """The stored truth."""
        return self._journal.record

    @property
    def settled(self) -> bool:
        """True where the state asks for nothing more."""
        return isinstance(demand(self.record, None, self._around.clock.now()), f.Retire)

    def begin_again(self, stored: Record) -> None:
        """After a fault: the next run goes on from what is stored."""
        self._journal.record = stored
        self._sight.forget()

    def hint(self, hint: Hint) -> None:
        """Something may have happened to the containers: look again, unless the hint says all there is to see."""
        self._sight.hear(hint, self.record)
        self._wake.set()
        if hint.action == "connected":
            self._worth_a_try.set()

    async def apply(self, fact: f.Fact) -> None:
        """Stores what `fact` makes of the record. Safe from any task. Raises StoreError: nothing changed."""
        await self._journal.apply(fact)

    async def wish(self, wish: f.CancelWished) -> None:
        """Stores a user's wish, then interrupts what would make it wait. Raises StoreError: nothing changed."""
        await self.apply(wish)
        self._worth_a_try.set()
        self._preparation.interrupt()
        self._collection.interrupt()
        if self.record.ended:
            self._around.queue.leave(self.record.uid)

    async def run(self) -> None:
        """Returns when the job is over and nothing is wished of it; is cancelled at jobd's end."""
        pause_s = FIRST_PAUSE_S
        self._journal.announce_soon()
        try:
            while True:
                await self._follow_clock()
                asked = demand(self.record, self._sight.seen, self._around.clock.now())
                if isinstance(asked, f.Retire):
                    return
                try:
                    if self.record.phase not in ("queued", "done"):
                        await self._journal.hold_spec()
                    await self._carry_out(asked)
                    pause_s, self.progress = FIRST_PAUSE_S, None
                    if self.record.engine_error_in == type(asked).__name__:
                        self._erred_at = None
                        await self.apply(f.EngineAnswered(type(asked).__name__))
                except UnreadableJob:
                    raise  # another try helps nobody
                except (EngineError, StoreError) as error:
                    fields = {"job_id": self.record.id, "action": type(asked).__name__, "error": str(error)}
                    log.warning("job waits, will try again", extra=fields)
                    self._sight.forget()
                    if isinstance(error, EngineUnavailable):
                        self._sight.engine_left()
                    self.progress = f"another try: {short(str(error))}"
                    if await self._counted(asked, error):
                        # What is done between two tries of it is done, and shortens no pause.
                        pause_s = max(pause_s, min(self.record.engine_error_s, LONGEST_PAUSE_S))
                    if self.record.phase == "done" and self.record.desired != "delete":
                        continue
                    await self._pause(pause_s, self._worth_a_try)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        finally:
            # First what cannot fail: what fails here is done again by the next run.
            self._journal.stop_announcing()
            if self.record.ended:
                self._around.queue.leave(self.record.uid)
            await self._execution.stop_reading()
            if self.record.ended:
                self._around.spool_path(self.record.uid).unlink(missing_ok=True)
                self._around.secrets.remove(self.record.uid)
            if self.record.ended and self.record.desired == "delete":
                await self._around.outputs.remove(self.record.uid)

    async def _counted(self, asked: f.Demand, error: Exception) -> bool:
        """Counts an error that the engine has answered with: a job fails when there is no end of them. Returns whether this was one.
        Where no answer came the engine is away as a whole, and the job waits for it.
        """
        if not isinstance(error, EngineError) or (
            isinstance(error, EngineUnavailable) and not error.answered
        ):
            self._erred_at = None
            return False
        now = self._around.clock.monotonic()
        seen_s = 0.0 if self._erred_at is None else now - self._erred_at
        limit_s = self._around.engine_error_limit_s
        try:
            await self.apply(f.EngineErred(type(asked).__name__, error.advice, seen_s, limit_s))
        except StoreError as refused:
            fields = {"job_id": self.record.id, "action": "count-error", "error": str(refused)}
            log.warning("an error of the engine is not counted", extra=fields)
            return True
        self._erred_at = now
        left_s = limit_s - self.record.engine_error_s
        if self.record.engine_error_in and left_s > 0:
            self.progress = (
                f"another try: {error}; the job fails after {format_duration(round(left_s))} more of that"
            )
        return True

    async def _follow_clock(self) -> None:
        clock = self._around.clock
        offset = clock.offset()
        if self._journal.clock_moved(self.record, offset):
            await self.apply(f.ClockMoved(clock.boot, offset))

    async def _carry_out(self, asked: f.Demand) -> None:
        match asked:
            case f.Admit():
                await self._admit()
            case f.Pull():
                await self._preparation.pull()
            case f.Create():
                await self._execution.stop_reading_reports()
                await self._preparation.create()
            case f.StartSidecar():
                await self._preparation.start_sidecar()
            case f.StartWorker():
                await self._execution.start_worker()
            case f.RemoveUnstarted(role):
                await self._execution.remove_unstarted(role)
            case f.Observe():
                await self._execution.observe()
            case f.CollectOutputs():
                await self._collection.collect()
            case f.TellSidecar(succeeded):
                await self._execution.tell_sidecar(succeeded)
            case f.DrainLogs():
                await self._execution.drain_log()
            case f.Signal(role, kill):
                await self._execution.stop(role, kill)
            case f.Remove():
                await self._execution.remove()
            case f.Wait(until):
                await self._wait(until)

    async def _admit(self) -> None:
        queue = self._around.queue
        queue.enter(self.record.uid)
        await queue.admitted(self.record.uid)
        await self.apply(f.Admitted())

    async def _wait(self, until: datetime | None) -> None:
        left_s = LOOK_AGAIN_S
        if until is not None:
            left_s = min(left_s, (until - self._around.clock.now()) / timedelta(seconds=1))
        if await self._pause(left_s, self._wake):
            return
        self._sight.forget()
        await self._follow_clock()  # before what has passed is counted
        await self.apply(f.TimePassed())
        await self._execution.measure()

    async def _pause(self, seconds: float, wake: asyncio.Event) -> bool:
        """Waits for a wake-up, `seconds` at most; True where there was one."""
        sleeper = asyncio.ensure_future(self._around.clock.sleep(max(0.0, seconds)))
        waker = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
            return wake.is_set()
        finally:
            wake.clear()
            sleeper.cancel()
            waker.cancel()

    def _say(self, text: str) -> None:
        self.progress = text
