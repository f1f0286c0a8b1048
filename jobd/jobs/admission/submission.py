"""Accepts jobs: what this host refuses, how many jobs may wait, one job per id, and the first commit.

Owns the decisions on a valid spec before a job exists, and removes received files if no job is created. The supervisor starts
the containers. Must not know of HTTP.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jobd.durable import sync_folder
from jobd.errors import Conflict, InvalidRequest, QueueFull
from jobd.events.delivery.destination import destination_of
from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.jobs.admission.resource_limits import Caps
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.secrets import without_values
from jobd.jobs.state.new_record import new_record
from jobd.jobs.state.record import Record
from jobd.jobs.stored import record_of
from jobd.store.errors import IdTaken
from jobd.store.tables.rows import Callback, JobRow
from jobd.wire.job import Gpus, JobSpec

_spec_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid spec and its sender. `files`: a received tar on disk that goes into the workspace;
    accepting the job moves the tar away; `files_digest` is the SHA-256 of its bytes. `idempotent`: jobd
    accepts the same spec under the same id, with the same secrets and files, again.
    """

    spec: JobSpec
    owner: str | None
    files: Path | None = None
    files_digest: bytes | None = None
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class SubmissionLimits:
    """What the operator allows: how many jobs may wait, whether jobs may add capabilities, how much a job may request."""

    max_queued: int
    allow_cap_add: bool = False
    caps: Caps = field(default_factory=Caps)


class Submitter:
    """Submits jobs. `on_accepted` gets the spec of each new job."""

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
        self._limits = limits
        self._on_accepted = on_accepted
        self._submitting: set[asyncio.Task[tuple[Record, bool]]] = set()

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidRequest if this host can never run the job, or the operator does not allow the job."""
        if spec.cap_add and not self._limits.allow_cap_add:
            raise InvalidRequest(
                "this daemon adds no capabilities; its operator can set ALLOW_CAP_ADD", field="capAdd"
            )
        kept = next((n for n, output in enumerate(spec.outputs) if output.keep), None)
        if kept is not None and not self._deps.outputs.keeps_any:
            raise InvalidRequest(
                "this daemon keeps no outputs; its operator can set KEPT_OUTPUTS_MAX_BYTES",
                field=f"outputs[{kept}].keep",
            )
        self._limits.caps.check(spec)
        self._check_gpus(spec.gpus)
        self._engine_monitor.check_fits(spec)

    def _check_gpus(self, gpus: Gpus) -> None:
        count, needed = len(self._deps.queue.gpus), 1 if gpus == "all" else gpus
        if needed > count:
            raise InvalidRequest(
                f"asks for {gpus} GPU{'s' * (gpus != 1)}; this daemon has {count} (GPU_DEVICES, set by its operator)",
                code="invalid-spec",
                field="gpus",
            )

    async def dependencies(self, spec: JobSpec) -> list[str]:
        """Returns the uids of the jobs that the job waits for. Raises InvalidRequest: an id has no job, or a user has deleted the job."""
        uids: list[str] = []
        for index, dependency in enumerate(spec.after):
            uid = await self._deps.repository.uid_of(dependency.job)
            if uid is None:
                raise InvalidRequest(
                    f"no job {dependency.job!r}", code="invalid-spec", field=f"after[{index}].job"
                )
            uids.append(uid)
        return uids

    async def submit(self, submission: Submission) -> tuple[Record, bool]:
        """Stores a new job and starts it; returns its record and whether it is new. A repeated submission gets its job, even if jobd
        would refuse a new job by now: the queue is full, or a dependency is deleted.

        Cancelling the caller undoes nothing: the commit decides whether the job exists.

        Raises:
            InvalidRequest: the host can never run the job. QueueFull: too many jobs wait. Conflict: the id is taken.
        """
        spec = without_values(submission.spec)
        digest = self._fingerprints.of(submission.spec, submission.files_digest)
        try:
            self.check(spec)
            after = await self.dependencies(spec)
            waiting = self._deps.queue.waiting + len(self._submitting)
            if waiting >= self._limits.max_queued:
                raise QueueFull(f"{waiting} jobs wait already; try again later")
        except (InvalidRequest, QueueFull):
            existing = await self._deps.repository.holder_of(spec.id) if submission.idempotent else None
            if existing is None:
                raise
            return _same_or_refuse(existing, digest, idempotent=True), False
        record = new_record(
            spec,
            now=self._deps.clock.now(),
            owner=submission.owner,
            digest=digest,
            has_spool=submission.files is not None,
            boot=self._deps.clock.boot,
            clock_offset=self._deps.clock.offset(),
            ticket=self._deps.queue.next_ticket(self._deps.clock.now()),
            after=after,
        )
        if submission.files is not None:
            submission.files.rename(self._deps.spool_path(record.uid))
        storing = asyncio.create_task(self._store(record, spec, submission), name=f"submit {record.id}")
        self._submitting.add(storing)
        storing.add_done_callback(self._submitting.discard)
        return await asyncio.shield(storing)

    async def settled(self, limit_s: float) -> None:
        """Returns once no submission is under way, or after `limit_s`: the next start of jobd finds what is stored by then."""
        if self._submitting:
            await asyncio.wait(self._submitting, timeout=limit_s)

    async def _store(self, record: Record, spec: JobSpec, submission: Submission) -> tuple[Record, bool]:
        deps = self._deps
        try:
            if submission.files is not None:
                await asyncio.to_thread(sync_folder, deps.spool_path(record.uid).parent)
            if spec.secrets:
                await asyncio.to_thread(deps.secrets.keep, record.uid, submission.spec.secrets)
            await deps.repository.open(record, spec, _spec_encoder.encode(spec), _callback(spec))
        except Exception as error:
            # Not after a cancellation: the commit continues and may create a job that needs the files. The next start of jobd
            # removes files without a job.
            deps.spool_path(record.uid).unlink(missing_ok=True)
            deps.secrets.remove(record.uid)
            if isinstance(error, IdTaken):
                return _same_or_refuse(error.existing, record.spec_digest, submission.idempotent), False
            raise
        self._on_accepted(spec)
        self._supervisors.start(self._supervisors.get_or_make(record))
        return record, True


def _callback(spec: JobSpec) -> Callback | None:
    if spec.callback is None:
        return None
    callback = spec.callback
    return Callback(
        url=callback.url, key=callback.key, destination=destination_of(callback.url), batch=callback.batch
    )


def _same_or_refuse(existing: JobRow, digest: str, idempotent: bool) -> Record:
    if existing.hidden:
        raise Conflict(
            f"job {existing.id!r} is being deleted; its id is free in a moment", code="deleting", field="id"
        )
    record = record_of(existing)
    if idempotent and hmac.compare_digest(record.spec_digest, digest):
        return record
    what = "exists with another spec or other files" if idempotent else "exists"
    raise Conflict(
        f"job {record.id!r} {what}; choose another id, or delete it first", code="exists", field="id"
    )
