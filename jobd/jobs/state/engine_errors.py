"""What becomes of a job whose engine answers with errors that may pass. Pure.

Owns the bound: an action is asked for again until the engine has answered it with errors for `ENGINE_ERROR_LIMIT`, counted while jobd
and the engine ran, over restarts of both. Which answers count is the adapter's to say (`EngineUnavailable.answered`).
"""

from datetime import datetime

from jobd.jobs.state import facts
from jobd.jobs.state.outcome import Step, change, finish, outputs_failed, worker_never_ran, worker_over
from jobd.jobs.state.record import Record
from jobd.wire.duration import format_duration
from jobd.wire.job import JobSpec

REASON = "engine-error"
START = "StartWorker"
"""An error that a start itself is answered with is a plain no: nothing has run. Where no answer came, the start is looked for."""


def erred(record: Record, spec: JobSpec, fact: facts.EngineErred, now: datetime) -> Step:
    """Returns what one more error answer makes of a job that is not over."""
    if _deadline_comes_first(record):
        return Step(record)
    waited_s = record.engine_error_s + max(0.0, fact.seen_s)
    kept = change(record, engine_error_s=waited_s, engine_error_in=fact.action)
    if waited_s < fact.limit_s:
        return Step(kept)
    why = f"the engine answered with errors for {format_duration(round(waited_s))}; the last one: {fact.message}"
    if record.phase == "outputs":
        return finish(outputs_failed(kept, why), spec, now)
    if record.worker_over:
        return Step(kept)  # reading its log has a limit of its own
    if record.start_intended_at is not None and fact.action != START:
        return worker_over(kept, spec, None, now, reason="lost", error=why)
    return worker_never_ran(kept, spec, now, REASON, why)


def answered(record: Record, fact: facts.EngineAnswered) -> Record:
    """Returns the record after the engine has done what it answered with errors before."""
    if record.engine_error_in != fact.action:
        return record
    return change(record, engine_error_s=0.0, engine_error_in="")


def _deadline_comes_first(record: Record) -> bool:
    """A worker that runs is not given up for what the engine says of it: it may go on, and it has a limit in time."""
    running = record.started_at is not None and not record.worker_over
    return running and record.desired == "run" and not record.timed_out
