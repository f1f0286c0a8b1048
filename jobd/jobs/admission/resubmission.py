"""Runs an ended job anew: a new job with the stored spec, and with `retried_from` in its record.

Owns the decisions before the submission: which jobs may run anew, what the client must send again, which dependencies the new job has,
and its id. `submission.py` creates the job, in one commit.
"""

import asyncio
import dataclasses
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from jobd.errors import Conflict, InvalidRequest, NotFound
from jobd.jobs.admission.outputs_retry import check_adds_nothing, takeover_of
from jobd.jobs.admission.retried_sources import check_source, implied_sources, met_conditions, with_sources
from jobd.jobs.admission.submission import OutputsOf, Submission, Submitter, is_same_submission
from jobd.jobs.record.parts import Caller, RetriedFrom, Trace
from jobd.jobs.record.record import Record
from jobd.jobs.state.transitions.on_dependency import why_unmet
from jobd.jobs.state.transitions.outcome import DEPENDENCY
from jobd.jobs.storage import JobsToRetry
from jobd.jobs.stored import record_of, spec_of
from jobd.store.errors import StaleJob
from jobd.store.tables.rows import JobRow
from jobd.wire.job import Dependency, JobSpec
from jobd.wire.retry_ids import RETRY_DIGITS, retry_prefix
from jobd.wire.validation.job_spec import checked

MAX_TRIES = 100
"""How many ids jobd tries: other retries may take ids meanwhile."""
SPECS_AT_ONCE = 8
"""How many retries have the old job's spec in memory, 1 MiB each."""


@dataclass(frozen=True, slots=True)
class Resubmission:
    """A request to run the ended job `job_id` anew. `new_id` None: jobd derives an id. `secrets`: the values of the job's secrets.
    `after` None: the job's own dependencies, as far as they were not met. `sources`: other jobs in place of those whose files the job
    takes. `files`, `files_digest`: see `Submission`. `outputs`: repeats only
    the outputs, on the workspace that is still there. `caller`, `trace`: see `Submission`.
    """

    job_id: str
    owner: str | None
    new_id: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    after: list[Dependency] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    files: Path | None = None
    files_digest: bytes | None = None
    outputs: bool = False
    caller: Caller | None = None
    trace: Trace | None = None


class Resubmitter:
    """Resubmits ended jobs."""

    def __init__(self, store: JobsToRetry, submitter: Submitter) -> None:
        self._store = store
        self._submitter = submitter
        self._specs = asyncio.Semaphore(SPECS_AT_ONCE)

    async def resubmit(self, request: Resubmission) -> tuple[Record, bool]:
        """Stores and starts a new job with the spec of an ended one; returns its record and whether it is new. The same request with
        the same `new_id` returns the same job.

        Raises:
            NotFound: no such job. Conflict: the job has not ended, one of its dependencies has ended otherwise than required, or the new
            id is taken. InvalidRequest: secrets or files are missing, or the host can never run the job. InvalidSpec: the new id or a
            secret is invalid. UnreadableJob: the job is damaged. QueueFull: too many jobs wait.
        """
        async with self._specs:
            return await self._resubmit(request)

    async def _resubmit(self, request: Resubmission) -> tuple[Record, bool]:
        row = await self._store.get_by_id(request.job_id)
        if row is None:
            raise NotFound(f"no job {request.job_id!r}")
        record, spec = record_of(row), spec_of(row)
        if request.outputs:
            return await self._repeat_outputs(request)
        if not record.ended:
            raise Conflict(
                f"job {record.id!r} has not ended yet; wait for its end, or cancel the job first",
                code="not-ended",
            )
        _check_secrets(spec, request)
        if spec.stdin:
            raise Conflict(
                f"job {record.id!r} read its standard input, which jobd does not keep; submit the job again (jobctl run -i)",
                code="input-needed",
            )
        if request.files is None and _had_files(record, row, spec):
            raise InvalidRequest(
                f"job {record.id!r} was submitted with local files, which jobd removed at the job's end; send the files again"
                f" (jobctl retry {record.id} --in PATH=SOURCE)",
                code="files-needed",
                field="files",
            )
        after = request.after
        if after is None:
            after = spec.after if _still_waited(record) else met_conditions(spec, request.sources)
        fixed = retry_prefix(record.id) if request.new_id is None else request.new_id
        renewed = with_sources(spec, request.sources)
        again = checked(replace(renewed, id=fixed, secrets=dict(request.secrets), after=after, attach=False))
        submission = Submission(
            spec=again,
            owner=request.owner,
            caller=request.caller,
            trace=request.trace,
            files=request.files,
            files_digest=request.files_digest,
            idempotent=True,
            retried_from=RetriedFrom(uid=record.uid, id=record.id),
        )
        if request.new_id is not None and (earlier := await self._earlier(submission)) is not None:
            return earlier, False
        if request.after is None:
            await self._check_ends(record, again)
        await self._check_sources(record, implied_sources(again, request.sources.values()))
        if request.new_id is not None:
            return await self._submitter.submit(submission)
        return await self._submit_under_free_id(record, submission)

    async def _repeat_outputs(self, request: Resubmission) -> tuple[Record, bool]:
        """Stores and starts a new job that repeats the outputs of an ended one, on the workspace of that job. Raises as `resubmit`;
        Conflict: the outputs cannot be repeated.
        """
        check_adds_nothing(
            {
                "secrets": request.secrets,
                "after": request.after,
                "sources": request.sources,
                "files": request.files,
            }
        )
        for _ in range(MAX_TRIES):
            row = await self._store.get_by_id(request.job_id)
            if row is None:
                break
            record, spec = record_of(row), spec_of(row)
            fixed = retry_prefix(record.id) if request.new_id is None else request.new_id
            again = replace(checked(replace(spec, id=fixed, secrets={}, after=[])), secrets=spec.secrets)
            submission = Submission(
                spec=again,
                owner=request.owner,
                trace=request.trace,
                idempotent=True,
                retried_from=RetriedFrom(uid=record.uid, id=record.id),
            )
            if request.new_id is not None:
                earlier = await self._earlier(submission, outputs_alone=True)
                if earlier is not None:
                    return earlier, False
            takes = await takeover_of(record, self._store)
            outputs_of = OutputsOf(record, takes, _had_files(record, row, spec))
            submission = dataclasses.replace(submission, outputs_of=outputs_of)
            # StaleJob: the ended job has changed since it was read, by another retry or its removal.
            with suppress(StaleJob):
                if request.new_id is not None:
                    return await self._submitter.submit(submission)
                return await self._submit_under_free_id(record, submission)
        raise NotFound(f"no job {request.job_id!r}")

    async def _earlier(self, submission: Submission, *, outputs_alone: bool = False) -> Record | None:
        """Returns the job that the same request has created, None if there is none."""
        row = await self._store.get_by_id(submission.spec.id)
        if row is None:
            return None
        record = record_of(row)
        digest = self._submitter.fingerprint(submission)
        origin = submission.retried_from
        return record if is_same_submission(record, digest, origin, outputs_alone=outputs_alone) else None

    async def _check_ends(self, record: Record, spec: JobSpec) -> None:
        """Raises Conflict: a dependency of the old job has ended so that the new job would be cancelled at once."""
        for dependency in spec.after:
            row = await self._store.get_by_id(dependency.job)
            awaited = None if row is None else record_of(row)
            if awaited is None or not awaited.ended:
                continue  # the submission refuses a job that does not exist
            if why := why_unmet(awaited.id, dependency.on, awaited.status):
                raise Conflict(
                    f"job {record.id!r} cannot start: {why}; retry that job first, and give its new id in after"
                    f" (jobctl retry {record.id} --after ID)",
                    code="dependency",
                    field="after",
                )

    async def _check_sources(self, record: Record, job_ids: list[str]) -> None:
        """Raises Conflict: the new job would await the completion of a job that has ended otherwise, for its files."""
        for job_id in job_ids:
            row = await self._store.get_by_id(job_id)
            if row is not None:  # the submission refuses a job that does not exist
                check_source(record, record_of(row))

    async def _submit_under_free_id(self, old: Record, submission: Submission) -> tuple[Record, bool]:
        async for new_id in self._free_ids(old.id):
            with _linked(submission.files) as files:
                try:
                    spec = replace(submission.spec, id=new_id)
                    again = dataclasses.replace(submission, spec=spec, files=files, idempotent=False)
                    return await self._submitter.submit(again)
                except Conflict as error:
                    if error.field != "id":
                        raise
        raise Conflict(
            f"jobd finds no free id for a retry of job {old.id!r}; give one", code="exists", field="id"
        )

    async def _free_ids(self, job_id: str) -> AsyncIterator[str]:
        prefix = retry_prefix(job_id)
        highest = await self._store.highest_number(prefix, RETRY_DIGITS)
        for number in range(highest + 1, highest + 1 + MAX_TRIES):
            yield f"{prefix}{number}"


def _still_waited(record: Record) -> bool:
    """Returns whether the ended job never started for want of its dependencies."""
    return bool(record.scheduling.after) or record.reason == DEPENDENCY


def _check_secrets(spec: JobSpec, request: Resubmission) -> None:
    missing = [name for name in spec.secrets if name not in request.secrets]
    if missing:
        flags = " ".join(f"--secret {name}=FILE" for name in missing)
        raise InvalidRequest(
            f"jobd does not keep the values of a job's secrets; give them again: {', '.join(missing)}"
            f" (jobctl retry {request.job_id} {flags})",
            code="secrets-needed",
            field="secrets",
        )
    for name in request.secrets:
        if name not in spec.secrets:
            raise InvalidRequest(
                f"job {request.job_id!r} has no secret {name[:64]!r}", field=f"secrets.{name[:64]}"
            )


def _had_files(record: Record, row: JobRow, spec: JobSpec) -> bool:
    """Returns whether local files were sent with the job. Records of older versions forget that with the removal of the workspace; the
    digest of a spec without secrets and files is the plain one.
    """
    if record.has_spool or spec.secrets:
        return record.has_spool
    return bool(record.spec_digest) and record.spec_digest != hashlib.sha256(row.spec).hexdigest()


@contextmanager
def _linked(files: Path | None) -> Iterator[Path | None]:
    """Gives another name for the received file: a refused submission removes its file."""
    if files is None:
        yield None
        return
    link = files.with_name(f"incoming-{secrets.token_hex(8)}.tar")
    os.link(files, link)
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)
