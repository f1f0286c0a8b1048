"""The use cases of jobs: submit, look, cancel, delete, read files. What the API calls.

Nothing slow happens in a call: a submission or a wish is stored, the rest is done by the job's supervisor.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from jobd.clock import Clock
from jobd.errors import Conflict, InvalidRequest, NotFound, QueueFull, Unauthorized
from jobd.events.lanes import lane_of
from jobd.jobs import facts as f
from jobd.jobs.engine_watch import EngineWatch
from jobd.jobs.fingerprint import Fingerprints
from jobd.jobs.ledger import Ledger
from jobd.jobs.orchestrator import JobRef, NoSuchFile, Orchestrator
from jobd.jobs.queue import AdmissionQueue
from jobd.jobs.record import Record, decode_record, new_record
from jobd.jobs.roster import Roster
from jobd.jobs.secrets import SecretFiles, without_values
from jobd.jobs.view import view_of
from jobd.store.errors import IdTaken
from jobd.store.rows import Callback, JobRow
from jobd.store.store import Store
from jobd.wire.job import JobSpec
from jobd.wire.names import path_problem
from jobd.wire.report import Report
from jobd.wire.view import JobList, JobView

_spec_decoder = msgspec.json.Decoder(JobSpec)
_spec_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid spec and who sent it. `files`: a received tar, on the disk, that goes into the workspace; it is
    moved away when the job is accepted. `idempotent`: the same spec under the same id, with the same secrets, is not refused.
    """

    spec: JobSpec
    owner: str | None
    files: Path | None = None
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which jobs to list, newest first."""

    statuses: frozenset[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    since: datetime | None = None
    prefix: str = ""
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service bounds: jobs that may wait, and how long workspaces are kept (seconds)."""

    max_queued: int
    retention_s: float
    allow_cap_add: bool = False


class JobService:
    """See the module."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        roster: Roster,
        queue: AdmissionQueue,
        engine: Orchestrator,
        engine_watch: EngineWatch,
        spool_path: Callable[[str], Path],
        secrets: SecretFiles,
        fingerprints: Fingerprints,
        clock: Clock,
        limits: Limits,
        on_accepted: Callable[[JobSpec], None],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._roster = roster
        self._queue = queue
        self._engine = engine
        self._engine_watch = engine_watch
        self._spool_path = spool_path
        self._secrets = secrets
        self._fingerprints = fingerprints
        self._clock = clock
        self._limits = limits
        self._on_accepted = on_accepted
        self._submitting = 0

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidRequest where this host can never run the job, or its operator does not want it."""
        if spec.cap_add and not self._limits.allow_cap_add:
            raise InvalidRequest(
                "this daemon adds no capabilities; its operator can set ALLOW_CAP_ADD", field="capAdd"
            )
        self._engine_watch.check_fits(spec)

    async def submit(self, submission: Submission) -> tuple[Record, bool]:
        """Stores a new job and starts it; returns its record and whether it is new.

        Raises:
            InvalidRequest: the host can never run it. QueueFull: too many wait. Conflict: the id is taken.
        """
        spec = without_values(submission.spec)
        self.check(spec)
        waiting = self._queue.waiting + self._submitting
        if waiting >= self._limits.max_queued:
            raise QueueFull(f"{waiting} jobs wait already; try again later")
        spec_bytes = _spec_encoder.encode(spec)
        digest = self._fingerprints.of(submission.spec)
        record = new_record(
            spec,
            now=self._clock.now(),
            owner=submission.owner,
            digest=digest,
            has_spool=submission.files is not None,
            boot=self._clock.boot,
            clock_offset=self._clock.offset(),
        )
        if submission.files is not None:
            submission.files.rename(self._spool_path(record.uid))
        self._submitting += 1
        try:
            if spec.secrets:
                await asyncio.to_thread(self._secrets.keep, record.uid, submission.spec.secrets)
            await self._ledger.open(record, spec, spec_bytes, _callback(spec))
        except BaseException as error:
            self._spool_path(record.uid).unlink(missing_ok=True)
            self._secrets.remove(record.uid)
            if isinstance(error, IdTaken):
                return _same_or_refuse(error.existing, digest, submission.idempotent), False
            raise
        finally:
            self._submitting -= 1
        self._on_accepted(spec)
        self._queue.enter(record.uid)
        self._roster.start(self._roster.get_or_make(record, spec))
        return record, True

    async def get(self, job_id: str) -> JobView:
        """Returns the newest job of this id. Raises NotFound."""
        return self._view(await self._row(job_id))

    async def page(self, query: ListQuery) -> JobList:
        """Returns one page. Raises InvalidRequest: the cursor is none of ours."""
        try:
            page = await self._store.list_jobs(
                statuses=query.statuses,
                labels=query.labels,
                owner=query.owner,
                since=query.since,
                prefix=query.prefix,
                cursor=query.cursor,
                limit=query.limit,
            )
        except ValueError as error:
            raise InvalidRequest(str(error), field="cursor") from None
        return JobList(jobs=[self._view(row) for row in page.jobs], next=page.cursor)

    async def cancel(self, job_id: str, wish: f.CancelWished) -> None:
        """Stores the wish that the job ends; its record stays.

        Raises:
            NotFound: no such job. Conflict: it has ended already.
        """
        row = await self._row(job_id)
        supervisor = self._roster.get(row.uid)
        if supervisor is None or supervisor.record.ended:
            raise Conflict(f"job {job_id!r} has ended already", code="ended")
        await supervisor.wish(wish)

    async def delete(self, job_id: str, by: str) -> None:
        """Stores the wish that the job be gone: it is not found from now on, its containers and volume go.

        Raises:
            NotFound: no such job.
        """
        row = await self._row(job_id)
        supervisor = self._roster.get_or_make(decode_record(row.record), _spec_decoder.decode(row.spec))
        await supervisor.wish(f.CancelWished(by=by, grace_s=0.0, delete=True))
        await self._store.hide(job_id)
        # Only now: a supervisor of a job that is over would find nothing to do before the wish.
        self._roster.start(supervisor)

    async def find(self, job_id: str) -> Record:
        """Returns the record of the newest job of this id. Raises NotFound."""
        return self._current(await self._row(job_id))

    async def current(self, record: Record) -> Record:
        """Returns the record of the same job as it is now."""
        supervisor = self._roster.get(record.uid)
        if supervisor is not None:
            return supervisor.record
        row = await self._store.get_by_uid(record.uid)
        return decode_record(row.record) if row else record

    async def open_files(self, job_id: str, path: str) -> AsyncIterator[bytes]:
        """Streams what `path`, relative to the workspace, names, as tar.

        Raises:
            NotFound: no such job or file, or its workspace is gone. InvalidRequest: the path leaves the workspace.
        """
        if why := path_problem(path):
            raise InvalidRequest(f"path {why}", field="path")
        row = await self._row(job_id)
        record = self._current(row)
        spec = _spec_decoder.decode(row.spec)
        if record.worker_id is None or record.cleaned:
            raise NotFound(f"job {job_id!r} has no workspace (any more)", code="no-workspace")
        ref = JobRef(record.uid, record.id, record.attempt)
        stream = self._engine.open_tar(ref, f"{spec.workspace}/{path}" if path != "." else spec.workspace)
        try:
            first = await anext(stream)
        except StopAsyncIteration:
            first = b""
        except NoSuchFile as error:
            raise NotFound(str(error), code=error.code, field="path") from None
        return _chain(first, stream)

    async def take_reports(self, job_id: str, token: str, reports: list[Report]) -> None:
        """Handles what a sidecar that nobody reads from has reported.

        Raises:
            Unauthorized: the token is not this job's, or there is no such job under way: a caller learns no more.
        """
        supervisor = next((s for s in self._roster if s.record.id == job_id), None)
        expected = supervisor.record.token if supervisor else ""
        if not hmac.compare_digest(expected.encode(), token.encode()) or not expected or supervisor is None:
            raise Unauthorized("the token is not the one of a job under way")
        for report in reports:
            await supervisor.apply(f.Reported(report))

    async def _row(self, job_id: str) -> JobRow:
        row = await self._store.get_by_id(job_id)
        if row is None:
            raise NotFound(f"no job {job_id!r}")
        return row

    def _current(self, row: JobRow) -> Record:
        supervisor = self._roster.get(row.uid)
        return supervisor.record if supervisor else decode_record(row.record)

    def _view(self, row: JobRow) -> JobView:
        supervisor = self._roster.get(row.uid)
        record = supervisor.record if supervisor else decode_record(row.record)
        spec = supervisor.spec if supervisor else _spec_decoder.decode(row.spec)
        return view_of(
            record,
            spec,
            queue_position=self._queue.position(row.uid) if record.phase == "queued" else None,
            progress=supervisor.progress if supervisor else None,
            retention_s=self._limits.retention_s,
        )


def _callback(spec: JobSpec) -> Callback | None:
    if spec.callback is None:
        return None
    callback = spec.callback
    return Callback(url=callback.url, key=callback.key, lane=lane_of(callback.url), batch=callback.batch)


def _same_or_refuse(existing: JobRow, digest: str, idempotent: bool) -> Record:
    record = decode_record(existing.record)
    if existing.hidden:
        raise Conflict(
            f"job {record.id!r} is being deleted; its id is free in a moment", code="deleting", field="id"
        )
    if idempotent and hmac.compare_digest(record.spec_digest, digest):
        return record
    raise Conflict(
        f"job {record.id!r} exists; choose another id, or delete it first", code="exists", field="id"
    )


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk
