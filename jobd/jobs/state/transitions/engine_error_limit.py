"""Bounds how long a job retries an action that the engine answers with errors that may pass. Pure.

Owns the bound: jobd retries an action until the engine has answered with errors for `ENGINE_ERROR_LIMIT`, counted while jobd and
the engine ran, over restarts of both. The adapter decides which answers count (`EngineUnavailable.answered`).
"""

from datetime import datetime

from jobd.jobs.record.parts import EngineErrors, Failure, Started
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import CollectingOutputs, DeliveringOutputs, DrainingLog, Running
from jobd.jobs.state import facts
from jobd.jobs.state.step import Step
from jobd.jobs.state.transitions.outcome import finish, outputs_failure, worker_ended, worker_never_ran
from jobd.wire.duration import format_duration
from jobd.wire.job import JobSpec

REASON = "engine-error"
START = "StartWorker"
"""If the engine answers a start with an error, nothing has run. Without an answer, jobd observes whether the container started."""


def erred(record: Record, spec: JobSpec, fact: facts.EngineErred, now: datetime) -> Step:
    """Returns the step of one more error answer for an unfinished job."""
    if isinstance(record.worker, Started) and not record.end_ordered:
        return Step(record)  # a running worker has its own limit, and continues despite errors
    before = record.attempt.engine_errors
    waited_s = (before.seconds if before else 0.0) + max(0.0, fact.seen_s)
    errors = EngineErrors(action=fact.action, seconds=waited_s)
    kept = record.change(attempt=record.attempt.change(engine_errors=errors))
    if waited_s < fact.limit_s:
        return Step(kept)
    why = f"the engine answered with errors for {format_duration(round(waited_s))}; the last one: {fact.message}"
    match record.state:
        case DeliveringOutputs() | CollectingOutputs() as state:
            return finish(kept, spec, now, outputs_failure(kept, record.failure, why), state.worker)
        case DrainingLog():
            return Step(kept)  # reading the log has its own limit
        case Running(worker=worker) as state if worker is not None and fact.action != START:
            lost = Failure(reason="lost", error=why)
            return worker_ended(kept, spec, state, worker, None, now, lost)
        case _:
            return worker_never_ran(kept, spec, now, Failure(reason=REASON, error=why))


def answered(record: Record, fact: facts.EngineAnswered) -> Record:
    """Returns the record after the engine has executed an action that failed before."""
    errors = record.attempt.engine_errors
    if errors is None or errors.action != fact.action:
        return record
    return record.change(attempt=record.attempt.change(engine_errors=None))
