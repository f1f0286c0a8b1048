"""The use cases of existing jobs, as the API calls them: show, list, cancel, delete, read files, receive reports.

No call does slow work: a call stores a request, and the job's supervisor carries the request out. `submission.py` accepts new jobs.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jobd.errors import Conflict, InvalidRequest, NotFound, Unauthorized
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.job_files import JobFiles, check_path
from jobd.jobs.record.record import Record
from jobd.jobs.retention.retention import Retention
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.state import facts
from jobd.jobs.storage import Jobs
from jobd.jobs.stored import record_of, spec_of, unreadable_view
from jobd.jobs.view import MAX_NAMED, view_of
from jobd.jobs.workspace_holds import WorkspaceHolds
from jobd.store.errors import StoreError, UnreadableJob
from jobd.store.tables.rows import JobRow
from jobd.wire.report import Report
from jobd.wire.views.job import TERMINAL, UNREADABLE, JobList, JobView

VIEWS_AT_ONCE = 100
"""After so many views of a long page the event loop does its other work."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which jobs to list, newest first."""

    statuses: frozenset[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    since: datetime | None = None
    prefix: str = ""
    set_name: str | None = None
    cursor: str | None = None
    limit: int = 100


class JobService:
    """The use cases of jobs that exist."""

    def __init__(
        self,
        store: Jobs,
        supervisors: Supervisors,
        queue: AdmissionQueue,
        files: JobFiles,
        retention: Retention,
        holds: WorkspaceHolds,
    ) -> None:
        self._store = store
        self._supervisors = supervisors
        self._queue = queue
        self._files = files
        self._retention = retention
        self._holds = holds

    async def get(self, job_id: str) -> JobView:
        """Returns the newest job with this id. Raises NotFound."""
        return (await self.show(job_id))[0]

    async def show(self, job_id: str) -> tuple[JobView, bool]:
        """Returns the newest job with this id, and whether its view is final: made from the job's row alone, so that the view changes
        only when the row does. Raises NotFound.
        """
        row = await self._row(job_id)
        view = self._view(row)
        return view, view.status in TERMINAL and self._supervisors.get(row.uid) is None

    async def page(self, query: ListQuery) -> JobList:
        """Returns one page of jobs. Raises InvalidRequest: jobd did not make this cursor."""
        try:
            page = await self._store.list_jobs(
                statuses=query.statuses,
                labels=query.labels,
                owner=query.owner,
                since=query.since,
                prefix=query.prefix,
                set_name=query.set_name,
                cursor=query.cursor,
                limit=query.limit,
            )
        except ValueError as error:
            raise InvalidRequest(str(error), field="cursor") from None
        views: list[JobView] = []
        for number, row in enumerate(page.jobs, start=1):
            views.append(self._view(row))
            if number % VIEWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        if query.statuses is not None:  # an undamaged row may hold a record that cannot be decoded
            views = [v for v in views if v.status != UNREADABLE or UNREADABLE in query.statuses]
        return JobList(jobs=views, next=page.cursor)

    async def cancel(self, job_id: str, request: facts.CancelRequested) -> None:
        """Stores a request to end the job; the job's record stays.

        Raises:
            NotFound: no such job. Conflict: the job has ended already. UnreadableJob: the job's record is damaged.
        """
        row = await self._row(job_id)
        supervisor = self._supervisors.get(row.uid)
        if supervisor is None:
            record_of(row)  # raises for a damaged record: jobd cannot tell whether that job has ended
        if supervisor is None or supervisor.record.ended:
            raise Conflict(f"job {job_id!r} has ended already", code="ended")
        await supervisor.request(request)

    async def prioritize(self, job_id: str, priority: int | None) -> JobView:
        """Changes the priority of a waiting job; None puts the job before all other waiting jobs.

        Raises:
            NotFound: no such job. Conflict: the job does not wait any more. UnreadableJob: the job's record is damaged.
        """
        row = await self._row(job_id)
        supervisor = self._supervisors.get(row.uid)
        if supervisor is None:
            record_of(row)  # raises for a damaged record
        refusal = Conflict(f"job {job_id!r} does not wait any more", code="not-waiting")
        if (
            supervisor is None
            or supervisor.record.phase != "queued"
            or self._queue.is_admitted(row.uid)  # the admission is being stored
        ):
            raise refusal
        place = (priority, None) if priority is not None else self._queue.ahead_of(row.uid)
        if place is not None:
            has_changed = await supervisor.apply(facts.Reprioritized(*place))
            if not has_changed and supervisor.record.phase != "queued":
                raise refusal  # the job was admitted, or ended, before the change was stored
        return self._view(row)

    async def pause(self, job_id: str, paused: bool) -> JobView:
        """Pauses one job: its worker does not start, or stands still; or resumes the job, which a pause of its group may still hold.

        Raises:
            NotFound: no such job. Conflict: the job's command has ended. UnreadableJob: the job's record is damaged.
        """
        row = await self._row(job_id)
        supervisor = self._supervisors.get(row.uid)
        if supervisor is None:
            record_of(row)  # raises for a damaged record
        if supervisor is None or supervisor.record.ended:
            raise Conflict(f"job {job_id!r} has ended already", code="ended")
        if paused and supervisor.record.worker_over:
            raise Conflict(
                f"the command of job {job_id!r} has ended; its outputs are not paused", code="command-ended"
            )
        if paused and supervisor.record.cancel is not None:
            raise Conflict(f"job {job_id!r} is being cancelled", code="cancelling")
        await supervisor.apply(facts.PauseRequested(paused))
        supervisor.wake()
        return self._view(row)

    async def delete(self, job_id: str, by: str) -> None:
        """Stores a request to delete the job. No call finds the job from now on; jobd removes its containers and its volume.

        Raises:
            NotFound: no such job. Conflict: another job takes files of the job's workspace.
        """
        row = await self._row(job_id)
        await self._check_not_taken(row)
        if readers := self._holds.begin_deletion(row.uid):
            raise Conflict(_needed(job_id, readers), code="needed")
        try:
            supervisor = self._supervisors.get(row.uid) or self._supervisors.get_or_make(record_of(row))
            await supervisor.request(facts.CancelRequested(by=by, grace_s=0.0, delete=True))
        except UnreadableJob:
            await self._retention.delete_unreadable(row)
            await self._store.hide(job_id)
            self._holds.end_removal(row.uid)
            return
        except StoreError:
            self._holds.end_removal(row.uid)
            raise
        await self._store.hide(job_id)
        # After the request is stored: before, the supervisor of an ended job has nothing to do.
        self._supervisors.start(supervisor)

    async def _check_not_taken(self, row: JobRow) -> None:
        """Raises Conflict if another job that is not removed has taken over the job's workspace."""
        try:
            taker = self._current(row).taken_by
        except UnreadableJob:
            return
        holder = None if taker is None else await self._store.get_by_uid(taker.uid)
        if taker is not None and holder is not None and holder.live and not holder.hidden:
            raise Conflict(
                f"job {row.id!r} is not removed: job {taker.id!r} has taken over its workspace; remove that job first",
                code="needed",
            )

    async def uid_of(self, job_id: str) -> str:
        """Returns the uid of the newest job with this id, readable or not. Raises NotFound."""
        return (await self._row(job_id)).uid

    async def find(self, job_id: str) -> Record:
        """Returns the record of the newest job with this id. Raises NotFound; UnreadableJob: the record is damaged."""
        return self._current(await self._row(job_id))

    async def current(self, record: Record) -> Record | None:
        """Returns the job's present record; None if the job is purged."""
        supervisor = self._supervisors.get(record.uid)
        if supervisor is not None:
            return supervisor.record
        row = await self._store.get_by_uid(record.uid)
        return record_of(row) if row else None

    async def open_files(self, job_id: str, path: str) -> AsyncIterator[bytes]:
        """Streams a file or folder of the workspace as tar. `path` is relative to the workspace and escaped as in a spec. A kept output
        comes from jobd's own copy, also after the workspace is removed.

        Raises:
            NotFound: no such job or file, the workspace is removed, or the engine keeps no files after the worker's end. InvalidRequest: the path leaves the workspace, or is no UTF-8.
        """
        check_path(path)
        row = await self._row(job_id)
        return await self._files.open(self._current(row), spec_of(row), path)

    async def take_reports(self, job_id: str, token: str, reports: list[Report]) -> None:
        """Applies the reports of a sidecar whose output jobd does not read.

        Raises:
            Unauthorized: the token is not this job's, or no such job is under way. The error does not say which.
        """
        supervisor = self._supervisors.get_by_id(job_id)
        expected = supervisor.record.token if supervisor else ""
        if not hmac.compare_digest(expected.encode(), token.encode()) or not expected or supervisor is None:
            raise Unauthorized("no job under way has this token")
        for report in reports:
            await supervisor.apply(facts.Reported(report))

    async def _row(self, job_id: str) -> JobRow:
        row = await self._store.get_by_id(job_id)
        if row is None:
            raise NotFound(f"no job {job_id!r}")
        return row

    def _current(self, row: JobRow) -> Record:
        supervisor = self._supervisors.get(row.uid)
        return supervisor.record if supervisor else record_of(row)

    def _view(self, row: JobRow) -> JobView:
        supervisor = self._supervisors.get(row.uid)
        try:
            record = supervisor.record if supervisor else record_of(row)
            spec = spec_of(row)
        except UnreadableJob as error:
            return unreadable_view(row, error)
        is_queued = record.phase == "queued"
        return view_of(
            record,
            spec,
            queue_position=self._queue.position(row.uid) if is_queued else None,
            wait=self._queue.wait_of(row.uid) if is_queued else None,
            pause=self._queue.freezes(record.scheduling.group),
            frozen_s=self._supervisors.frozen_s(record),
            progress=supervisor.progress if supervisor else None,
            retention_s=self._retention.settings.job_retention_s,
        )


def _needed(job_id: str, readers: list[str]) -> str:
    named = ", ".join(repr(one) for one in readers[:MAX_NAMED])
    more = f" and {len(readers) - MAX_NAMED} more" if len(readers) > MAX_NAMED else ""
    return f"job {job_id!r} is not removed: {named}{more} takes files of its workspace; wait for the end of that job, or cancel it first"
