"""Accepts jobs: what this host refuses, how many jobs may wait, one job per id, and the first commit.

Owns the decisions on a valid spec before a job exists, and removes received files if no job is created. The supervisor starts
the containers. Must not know of HTTP.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from jobd.durable import sync_folder
from jobd.errors import Conflict, InvalidRequest, QueueFull
from jobd.events.delivery.queues.destination import destination_of
from jobd.jobs.admission.earlier_jobs import EarlierJobs, earlier_jobs
from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.jobs.admission.resource_limits import Caps
from jobd.jobs.mounts.host_mounts import as_caller
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Caller, RetriedFrom, Trace
from jobd.jobs.record.record import Record
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.secrets import without_values
from jobd.jobs.state.handover import Takeover, Taker, outputs_only
from jobd.jobs.stored import record_of
from jobd.jobs.workspace_holds import BeingRemoved, Reservation
from jobd.store.errors import IdTaken
from jobd.store.tables.rows import Callback, JobRow
from jobd.wire.job import Gpus, JobSpec

_spec_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class OutputsOf:
    """The ended job whose outputs alone a new job repeats. `record`: as it was read; the commit fails if it has changed since.
    `had_files`: local files were sent with the job.
    """

    record: Record
    takes: Takeover
    had_files: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid spec and its sender. `files`: a received tar on disk that goes into the workspace;
    accepting the job moves the tar away; `files_digest` is the SHA-256 of its bytes. `idempotent`: jobd
    accepts the same spec under the same id, with the same secrets and files, again. `retried_from`: the ended job
    that this one runs anew; `outputs_of`: whose outputs alone this one repeats. `caller`: the sender's
    credentials over the Unix socket. `trace`: the trace that the submission is a part of.
    """

    spec: JobSpec
    owner: str | None
    files: Path | None = None
    files_digest: bytes | None = None
    idempotent: bool = False
    retried_from: RetriedFrom | None = None
    outputs_of: OutputsOf | None = None
    caller: Caller | None = None
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class SubmissionLimits:
    """What the operator allows: how many jobs may wait, whether jobs may add capabilities, the devices that jobs may have, how much a job
    may request.
    """

    max_queued: int
    allow_cap_add: bool = False
    devices: tuple[str, ...] = ()
    caps: Caps = field(default_factory=Caps)


class Submitter:
    """Submits jobs. `limits` may be replaced at any time; `on_accepted` gets the spec of each new job."""

    def __init__(
        self,
        deps: Dependencies,
        supervisors: Supervisors,
        engine_monitor: EngineMonitor,
        fingerprints: Fingerprints,
        limits: SubmissionLimits,
        on_accepted: Callable[[JobSpec], None],
    ) -> None:
        self._deps = deps
        self._supervisors = supervisors
        self._engine_monitor = engine_monitor
        self._fingerprints = fingerprints
        self.limits = limits
        self._on_accepted = on_accepted
        self._submitting: set[asyncio.Task[tuple[Record, bool]]] = set()

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidRequest if this host can never run the job, or the operator does not allow the job."""
        if spec.cap_add and not self.limits.allow_cap_add:
            raise InvalidRequest(
                "this daemon adds no capabilities; its operator can set ALLOW_CAP_ADD", field="capAdd"
            )
        self._check_devices(spec)
        kept = next((n for n, output in enumerate(spec.outputs) if output.keep), None)
        if kept is not None and not self._deps.outputs.keeps_any:
            raise InvalidRequest(
                "this daemon keeps no outputs; its operator can set KEPT_OUTPUTS_MAX_BYTES",
                field=f"outputs[{kept}].keep",
            )
        self.limits.caps.check(spec)
        self._check_gpus(spec.gpus)
        self._engine_monitor.check_fits(spec)

    def _check_devices(self, spec: JobSpec) -> None:
        for index, device in enumerate(spec.devices):
            if not any(f"{device.source}/".startswith(f"{one}/") for one in self.limits.devices):
                raise InvalidRequest(
                    f"this daemon gives jobs no {device.source}; its operator can name it in ALLOW_DEVICES",
                    field=f"devices[{index}].source",
                )

    def _check_gpus(self, gpus: Gpus) -> None:
        count, needed = len(self._deps.queue.gpus), 1 if gpus == "all" else gpus
        if needed > count:
            raise InvalidRequest(
                f"gpus: asks for {gpus} GPU{'s' * (gpus != 1)}; this daemon has {count} (GPU_DEVICES, set by its operator)",
                code="invalid-spec",
                field="gpus",
            )

    async def check_mounts(self, spec: JobSpec, caller: Caller | None) -> None:
        """Raises InvalidRequest: this caller cannot have a mount of the job, or not as the job's user."""
        await self._deps.mounts.check(as_caller(spec, caller), caller)

    async def check_earlier_jobs(self, spec: JobSpec) -> None:
        """Raises InvalidRequest if an earlier job that the job names does not exist, or has no workspace for the job's inputs."""
        with self._deps.holds.reservation() as reservation:
            await earlier_jobs(spec, self._deps.repository, reservation)

    def fingerprint(self, submission: Submission) -> str:
        """Returns the digest that is the same for the same spec, secrets and files."""
        return self._fingerprints.of(submission.spec, submission.files_digest)

    async def submit(self, submission: Submission) -> tuple[Record, bool]:
        """Stores a new job and starts it; returns its record and whether it is new. A repeated submission gets its job, even if jobd
        would refuse a new job by now: the queue is full, or a dependency is deleted.

        Cancelling the caller undoes nothing: the commit decides whether the job exists.

        Raises:
            InvalidRequest: the host can never run the job. QueueFull: too many jobs wait. Conflict: the id is taken.
        """
        submission = replace(submission, spec=as_caller(submission.spec, submission.caller))
        spec = without_values(submission.spec)
        try:
            storing = await self._check_and_begin(submission, spec)
        except (InvalidRequest, QueueFull, Conflict):
            existing = await self._deps.repository.holder_of(spec.id) if submission.idempotent else None
            if existing is None:
                raise
            return _same_or_refuse(existing, self.fingerprint(submission), submission), False
        return await asyncio.shield(storing)

    async def _check_and_begin(
        self, submission: Submission, spec: JobSpec
    ) -> asyncio.Task[tuple[Record, bool]]:
        if submission.outputs_of is None:
            await self.check_mounts(spec, submission.caller)
        with self._deps.holds.reservation() as reservation:
            if submission.outputs_of is None:
                self.check(spec)
                earlier = await earlier_jobs(spec, self._deps.repository, reservation)
            else:  # the inputs are there, and what they came from may be gone
                earlier = EarlierJobs()
                _hold(submission.outputs_of, reservation)
            return self._begin(submission, spec, earlier)

    def _begin(
        self, submission: Submission, spec: JobSpec, earlier: EarlierJobs
    ) -> asyncio.Task[tuple[Record, bool]]:
        """Begins to store the new job, which holds its place and the workspaces that it needs from now on."""
        waiting = self._deps.queue.waiting + len(self._submitting)
        if waiting >= self.limits.max_queued:
            raise QueueFull(f"{waiting} jobs wait already; try again later")
        outputs_of = submission.outputs_of
        record = new_record(
            spec if outputs_of is None else outputs_only(spec),
            now=self._deps.clock.now(),
            owner=submission.owner,
            caller=submission.caller if spec.mounts else None,
            trace=submission.trace,
            digest=self.fingerprint(submission),
            has_spool=submission.files is not None or (outputs_of is not None and outputs_of.had_files),
            boot=self._deps.clock.boot,
            clock_offset=self._deps.clock.offset(),
            ticket=self._deps.queue.next_ticket(self._deps.clock.now()),
            after=earlier.after,
            sources=earlier.sources,
            retried_from=submission.retried_from,
            takes=None if outputs_of is None else outputs_of.takes,
        )
        if submission.files is not None:
            submission.files.rename(self._deps.spool_path(record.uid))
        storing = asyncio.create_task(self._store(record, spec, submission), name=f"submit {record.id}")
        self._submitting.add(storing)
        storing.add_done_callback(self._submitting.discard)
        self._deps.holds.follow(record)
        return storing

    async def settled(self, limit_s: float) -> None:
        """Returns once no submission is under way, or after `limit_s`: the next start of jobd finds what is stored by then."""
        if self._submitting:
            await asyncio.wait(self._submitting, timeout=limit_s)

    async def _store(self, record: Record, spec: JobSpec, submission: Submission) -> tuple[Record, bool]:
        deps = self._deps
        try:
            if submission.files is not None:
                await asyncio.to_thread(sync_folder, deps.spool_path(record.uid).parent)
            outputs_of = submission.outputs_of
            if spec.secrets and outputs_of is None:
                await asyncio.to_thread(deps.secrets.keep, record.uid, submission.spec.secrets)
            taken = None
            if outputs_of is not None:
                taken = outputs_of.record.change(taken_by=Taker(uid=record.uid, id=record.id))
            await deps.repository.open(record, spec, _spec_encoder.encode(spec), _callback(spec), taken)
        except Exception as error:
            # Not after a cancellation: the commit continues and may create a job that needs the files. The next start of jobd
            # removes files without a job.
            deps.spool_path(record.uid).unlink(missing_ok=True)
            deps.secrets.remove(record.uid)
            deps.holds.release(record.uid)
            if isinstance(error, IdTaken):
                return _same_or_refuse(error.existing, record.spec_digest, submission), False
            raise
        self._on_accepted(spec)
        self._supervisors.start(self._supervisors.get_or_make(record))
        return record, True


def _hold(outputs_of: OutputsOf, reservation: Reservation) -> None:
    job_id = outputs_of.record.id
    try:
        reservation.add(outputs_of.record.uid)
        reservation.add(outputs_of.takes.workspace.uid)
    except BeingRemoved:
        raise Conflict(
            f"jobd is removing the workspace of job {job_id!r} (jobctl retry {job_id} runs the whole job anew)",
            code="no-workspace",
        ) from None


def _callback(spec: JobSpec) -> Callback | None:
    if spec.callback is None:
        return None
    callback = spec.callback
    return Callback(
        url=callback.url, key=callback.key, destination=destination_of(callback.url), batch=callback.batch
    )


def is_same_submission(
    stored: Record, digest: str, retried_from: RetriedFrom | None, *, outputs_alone: bool
) -> bool:
    """Returns whether the job of `stored` was submitted with this spec, secrets and files, as a retry of this job or as no retry, and of
    the outputs alone or not.
    """
    same_kind = (stored.takes is not None) == outputs_alone and stored.retried_from == retried_from
    return hmac.compare_digest(stored.spec_digest, digest) and same_kind


def _same_or_refuse(existing: JobRow, digest: str, submission: Submission) -> Record:
    if existing.hidden:
        raise Conflict(
            f"job {existing.id!r} is being deleted; its id is free in a moment", code="deleting", field="id"
        )
    record = record_of(existing)
    outputs_alone = submission.outputs_of is not None
    if submission.idempotent and is_same_submission(
        record, digest, submission.retried_from, outputs_alone=outputs_alone
    ):
        return record
    what = "exists with another spec or other files" if submission.idempotent else "exists"
    raise Conflict(
        f"job {record.id!r} {what}; choose another id, or delete it first", code="exists", field="id"
    )
