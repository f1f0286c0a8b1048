"""Creates a job's first record."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import ArtifactState, Caller, ClockMark, RetriedFrom, StopPolicy, Trace
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited, Scheduling, ticket_at
from jobd.jobs.record.states import Queued
from jobd.jobs.state.handover import Source, Takeover
from jobd.wire.job import JobSpec


def new_record(
    spec: JobSpec,
    *,
    now: datetime,
    owner: str | None,
    digest: str,
    has_spool: bool,
    boot: str = "",
    clock_offset: float = 0.0,
    ticket: int | None = None,
    after: Sequence[Awaited] = (),
    sources: Sequence[Source] = (),
    retried_from: RetriedFrom | None = None,
    takes: Takeover | None = None,
    caller: Caller | None = None,
    trace: Trace | None = None,
) -> Record:
    """Returns the record of a new job. Its `uid` sorts by time and is unique. `ticket`: its place in the queue; None: that of `now`.
    `after`: the jobs that must end first; `sources`: those whose workspaces the job needs. `retried_from`: the job
    that this one runs anew; `takes`: whose outputs alone it repeats. `caller`: who has sent it, if it mounts folders of the machine. `trace`: the
    trace that the submission is a part of.
    """
    artifacts = {a.id: ArtifactState(optional=bool(getattr(a, "optional", False))) for a in spec.artifacts}
    return Record(
        uid=f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}",
        id=spec.id,
        created_at=now,
        image=spec.image,
        owner=owner,
        caller=caller,
        trace=trace,
        stop_policy=StopPolicy(
            signal=spec.stop_signal,
            grace_s=0.0 if spec.stop_signal == "SIGKILL" else float(spec.stop_timeout_seconds),
        ),
        spec_digest=digest,
        has_spool=has_spool,
        token=secrets.token_urlsafe(24),
        scheduling=Scheduling(
            priority=spec.priority,
            group=spec.group,
            ticket=ticket_at(now) if ticket is None else ticket,
            cpu=spec.cpu_cores,
            memory_mb=spec.memory_mb,
            gpus=spec.gpus,
            after=list(after),
        ),
        sources=list(sources),
        retried_from=retried_from,
        takes=takes,
        clock=ClockMark(boot=boot, offset=clock_offset),
        attempt=Attempt(state=Queued(since=now), artifacts=artifacts),
    )
