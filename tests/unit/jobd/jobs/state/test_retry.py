"""When an attempt is repeated, and the first state of the next attempt."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import LogCursor
from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import (
    ArtifactState,
    Caller,
    CancelRequest,
    ClockMark,
    Ended,
    EngineErrors,
    EventCounts,
    FailedAttempt,
    Failure,
    LogReading,
    LogState,
    Part,
    PendingRetry,
    RetriedFrom,
    Setup,
    SidecarRun,
    StopPolicy,
    Trace,
)
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited, Scheduling, ticket_at
from jobd.jobs.record.states import DrainingLog, Queued
from jobd.jobs.state import actions, facts, retry
from jobd.jobs.state.handover import Source, Takeover, Taker, Workspace
from jobd.wire.job import RETRY_REASONS, JobSpec

Job = Callable[..., Any]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SPEC = JobSpec(id="a", image="b", retries=3)

KEPT = frozenset(
    """
    uid id created_at version image image_digest owner caller.uid caller.gid stop_policy.signal stop_policy.grace_s spec_digest has_spool token sources clock.boot clock.offset
    events.count events.sequence events.started log.seq log.size_bytes log.is_full log.announced
    cancel.delete cancel.by cancel.why cancel.signal cancel.grace_s scheduling.cpu scheduling.memory_mb
    scheduling.priority scheduling.group scheduling.gpus scheduling.after retried_from.uid retried_from.id
    takes.workspace.uid takes.workspace.id takes.workspace.attempt takes.worker taken_by.uid taken_by.id paused input trace.parent trace.state
    """.split()  # noqa: SIM905 - a list of them would fill the page
)
GROWS = frozenset({"earlier", "attempt.number", "scheduling.ticket", "spent"})
RESET = frozenset(
    """
    attempt.state attempt.artifacts attempt.engine_errors.action attempt.engine_errors.seconds attempt.reading.cursor
    attempt.reading.incomplete
    """.split()  # noqa: SIM905 - as above
)


def full() -> Record:
    """A record in which every field outside of the state differs from its default."""
    setup = Setup(admitted_at=NOW)
    over = DrainingLog(
        since=NOW,
        setup=setup,
        sidecar=SidecarRun(asked_at=NOW),
        worker=Ended(asked_at=NOW, exit_code=3, started_at=NOW, exited_at=NOW),
        failure=Failure(reason="exit-code", error="no"),
    )
    return Record(
        uid="u",
        id="a",
        created_at=NOW,
        version=9,
        image="b",
        image_digest="sha256:2",
        owner="1000",
        spec_digest="d",
        has_spool=True,
        token="t",
        sources=[Source(uid="u3", id="c")],
        retried_from=RetriedFrom(uid="u3", id="c"),
        takes=Takeover(workspace=Workspace(uid="u5", id="e", attempt=2), worker=Ended(asked_at=NOW)),
        taken_by=Taker(uid="u4", id="d"),
        scheduling=Scheduling(
            priority=3,
            gpus=2,
            after=[Awaited(uid="u2", id="b")],
            group="gpu",
            ticket=5,
            cpu=2.0,
            memory_mb=64,
        ),
        clock=ClockMark(boot="boot", offset=1.5),
        events=EventCounts(count=4, sequence=3, started=True),
        log=LogState(seq=8, size_bytes=80, is_full=True, announced=7),
        paused=True,
        spent={"queued": 5},
        trace=Trace(parent="00-1", state="a=b"),
        input="cut",
        caller=Caller(uid=1000, gid=1000),
        stop_policy=StopPolicy(signal="SIGHUP", grace_s=2.0),
        cancel=CancelRequest(delete=True, by="me", why="so", signal="SIGINT", grace_s=1.0),
        earlier=[FailedAttempt(number=1, reason="lost")],
        attempt=Attempt(
            number=2,
            state=over,
            artifacts={"in": ArtifactState(status="failed", error="no", bytes=3, moved=2, optional=True)},
            engine_errors=EngineErrors(action="Prepare", seconds=3.0),
            reading=LogReading(cursor=LogCursor(b'{"stdout":["t1",5]}'), incomplete=True),
        ),
    )


def leaves(part: Part, path: str = "") -> dict[str, object]:
    """Returns every field of a part and of the parts in it, a state and a worker as a whole, by path."""
    found: dict[str, object] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Part) and name not in ("state", "worker"):
            found |= leaves(value, f"{path}{name}.")
        else:
            found[path + name] = value
    return found


def test_each_field_of_a_record_is_kept_or_reset() -> None:
    record = full()
    assert isinstance(record.state, DrainingLog)
    assert set(leaves(record)) == KEPT | GROWS | RESET, "add each new field to one of these sets"
    empty = leaves(Record(uid="", id="", created_at=NOW, attempt=Attempt(state=Queued(since=NOW))))
    same = {path for path, value in leaves(record).items() if path in empty and empty[path] == value}
    assert same == {"created_at"}, "a field with its default value shows nothing"

    assert record.failure is not None
    following, _ = retry.repeated(record, SPEC, record.failure, record.state.worker, NOW)
    for path in KEPT:
        assert leaves(following)[path] == leaves(record)[path], path
    failed = FailedAttempt(
        number=2, reason="exit-code", error="no", exit_code=3, started_at=NOW, exited_at=NOW
    )
    assert following.earlier == [*record.earlier, failed]
    due = PendingRetry(due_at=NOW + timedelta(seconds=retry.delay_s(2)), leftovers=True)
    assert following.ticket == ticket_at(due.due_at), "behind the jobs that are submitted until then"
    assert following.attempt == Attempt(
        number=3, state=Queued(since=NOW, retry=due), artifacts={"in": ArtifactState(optional=True)}
    )


def failed(a: Any, code: int) -> Any:
    a.to("running")
    return a.look(a.exited(code)).tell(facts.LogsDrained())


def test_a_failure_goes_back_to_the_queue_with_its_history(job: Job) -> None:
    a = failed(job(retries=1), 3)
    assert a.types == ["start", "retry"]
    assert (a.record.phase, a.record.status, a.record.attempt.number) == ("queued", "accepted", 2)
    assert (a.record.exit_code, a.record.reason, a.record.worker_id) == (None, None, None)
    assert [(e.number, e.exit_code, e.reason) for e in a.record.earlier] == [(1, 3, "exit-code")]
    retried = a.data("retry")
    assert (retried["attempt"], retried["exitCode"], retried["reason"], retried["delaySeconds"]) == (
        1,
        3,
        "exit-code",
        1.0,
    )


def test_the_next_attempt_waits_for_the_clean_up_then_for_its_time_then_for_a_place(job: Job) -> None:
    a = failed(job(retries=1), 3)
    assert a.asks(blind=True) == actions.Remove()
    assert a.tell(facts.Cleaned()).asks(blind=True) == actions.Wait(a.now + timedelta(seconds=1))
    assert a.later(1).asks(blind=True) == actions.Admit()


def test_a_cancel_between_two_attempts_ends_the_job(job: Job) -> None:
    a = failed(job(retries=3), 3).tell(facts.CancelRequested(by="me", grace_s=1, delete=False))
    assert (a.record.status, a.record.reason) == ("cancelled", "cancelled")
    assert a.types == ["start", "retry", "exit", "complete"]


@pytest.mark.parametrize(
    ("options", "code", "again"),
    [
        ({}, 3, False),
        ({"retries": 1}, 0, False),
        ({"retries": 1}, 3, True),
        ({"retries": 1, "retry_on": [3]}, 3, True),
        ({"retries": 1, "retry_on": [4]}, 3, False),
        ({"retries": 1, "retry_on": ["exit-code"]}, 3, True),
        ({"retries": 1, "retry_on": ["lost"]}, 3, False),
    ],
)
def test_only_the_named_failures_are_repeated(
    job: Job, options: dict[str, Any], code: int, again: bool
) -> None:
    a = failed(job(**options), code)
    assert ("retry" in a.types) == again
    assert a.record.ended != again


def test_a_failed_setup_is_repeated_too(job: Job) -> None:
    a = job(retries=1).tell(facts.Admitted(), facts.SetupFailed("image-not-found", "no such image"))
    assert a.types == ["retry"]
    a.tell(facts.Cleaned(), facts.Admitted(), facts.SetupFailed("image-not-found", "no such image"))
    assert a.types == ["retry", "exit", "complete"]


@given(st.integers(1, 50))
def test_delays_grow_to_a_bound(attempt: int) -> None:
    assert 0 < retry.delay_s(attempt) <= retry.delay_s(attempt + 1) <= retry.LONGEST_DELAY_S


@given(st.sampled_from([*sorted(RETRY_REASONS), "cancelled", "output-failed", None]), st.integers(1, 12))
def test_never_more_attempts_than_asked_for(reason: str | None, attempt: int) -> None:
    record = full().change(cancel=None)
    record = record.change(attempt=record.attempt.change(number=attempt))
    failure = Failure(reason=reason) if reason else None
    assert retry.is_repeated(record, SPEC, failure, None) == (reason in RETRY_REASONS and attempt <= 3)


def test_a_signal_of_the_previous_attempt_does_not_count_for_the_next(job: Job) -> None:
    """A signal is recorded once the engine has answered; a report may have ended the attempt meanwhile."""
    a = failed(job(retries=1, timeout_seconds=60), 3).tell(facts.StopSent(kill=True), facts.Cleaned())
    a.later(1).created().tell(facts.WorkerStarting())
    running = a.container("running", attempt=2)
    a.look(running).later(61).tell(facts.TimePassed())
    assert a.asks(running) == actions.Signal("worker", kill=False)
