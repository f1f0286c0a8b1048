"""Jobs in the store: transitions, single rows, pages of rows, and the search for damaged rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from jobd.store.stores.connections import PAGE_BYTES, Connections
from jobd.store.tables import transitions
from jobd.store.tables.jobs import jobs, listing
from jobd.store.tables.jobs.damaged_rows import DamagedRows
from jobd.store.tables.rows import FIRST, EndedPage, JobPage, JobRow, StoredEvent, Transition

LIVENESS_UIDS = 1000
SMALL_BYTES = 64 << 10
"""The store still writes a transition with up to so many bytes of events when the disk is full."""


class JobStore(Connections):
    """Reads and writes rows of jobs."""

    _damaged: DamagedRows

    async def commit(self, transition: Transition) -> list[StoredEvent]:
        """Writes the job's row, events, deliveries and log in one transaction; returns the events once they are durable.
        Repeating a commit with the same event ids is safe.

        Raises:
            IdTaken: `claim_id`, and the id belongs to another job.
            NoSuchJob: not `claim_id`, and the row does not exist.
            StaleJob: not `claim_id`, and the row has changed since it was read.
            StoreFull: the disk is full.
        """
        events_bytes = sum(len(event.body) for event in transition.events)
        return await self._writer.write(
            partial(transitions.commit, transition=transition, observed_ms=self._observed.now_ms()),
            size_bytes=transition.size_bytes,
            needs_free_space=transition.claim_id or bool(transition.logs) or events_bytes > SMALL_BYTES,
        )

    async def get_by_id(self, job_id: str) -> JobRow | None:
        """Returns the newest job with this id that is not hidden."""
        return await self._reader.read(partial(jobs.by_id, job_id=job_id))

    async def get_by_uid(self, uid: str) -> JobRow | None:
        """Returns the job with this uid, hidden or not."""
        return await self._reader.read(partial(jobs.by_uid, uid=uid))

    async def has_job(self, uid: str) -> bool:
        """Returns whether a job with this uid exists, hidden or not; False once the job is purged."""
        return await self._reader.read(partial(jobs.exists, uid=uid))

    async def liveness(self, uids: Iterable[str]) -> dict[str, bool]:
        """Returns, for each of these uids that a job has, hidden or not, whether the job has not ended or is not cleaned up. Reads
        `LIVENESS_UIDS` jobs at a time.
        """
        found: dict[str, bool] = {}
        wanted = list(uids)
        for begin in range(0, len(wanted), LIVENESS_UIDS):
            part = wanted[begin : begin + LIVENESS_UIDS]
            found |= await self._reader.read(partial(jobs.liveness, uids=part))
        return found

    async def live_rows(self) -> list[JobRow]:
        """Returns all jobs that have not ended or are being deleted, oldest first, without their specs: jobd resumes these at its start."""
        found: list[JobRow] = []
        while page := await self.live_page(found[-1].number if found else 0):
            found += page
        return found

    async def live_page(self, after: int) -> list[JobRow]:
        """Returns one page of `live_rows`: rows with numbers above `after`, up to 4 MiB and at least one."""
        return await self._reader.read(partial(jobs.live, after=after, max_bytes=PAGE_BYTES))

    async def ended_live_rows(self, age_s: float, limit: int, after: tuple[int, int] = FIRST) -> EndedPage:
        """Returns up to `limit` jobs that ended at least `age_s` seconds of observed time ago and are not cleaned up, in the order of
        their ends; fewer where the rows are long (4 MiB a page).
        """
        return await self._reader.read(
            partial(
                jobs.ended_live,
                observed_ms=self._age_to_ms(age_s),
                after=after,
                limit=limit,
                max_bytes=PAGE_BYTES,
            )
        )

    async def list_jobs(
        self,
        *,
        statuses: frozenset[str] | None = None,
        labels: Mapping[str, str] | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        prefix: str = "",
        set_name: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> JobPage:
        """Returns one page of the jobs that are not hidden, newest first; fewer than `limit` where their specs are
        long (4 MiB a page). All `labels` must match; `prefix` is a prefix of the id.

        Raises:
            ValueError: the cursor is not from a page of this list.
        """
        page = await self._reader.read(
            partial(
                listing.page,
                statuses=statuses,
                labels=labels or {},
                owner=owner,
                since=since,
                prefix=prefix,
                set_name=set_name,
                cursor=cursor,
                limit=limit,
                max_bytes=PAGE_BYTES,
                known_damaged=self._damaged.known,
            )
        )
        self._damaged.add(job.number for job in page.jobs if job.damage)
        return page

    async def highest_number(self, prefix: str, digits: int) -> int:
        """Returns the highest number of up to `digits` digits with which an id continues `prefix`, of deleted jobs too; 0 if there is none."""
        return await self._reader.read(partial(listing.highest_number, prefix=prefix, digits=digits))

    async def is_damaged(self, uid: str, job_id: str) -> bool:
        """Returns whether a row with this uid or this id is damaged and not deleted."""
        return await self._reader.read(partial(jobs.is_damaged, uid=uid, job_id=job_id))

    async def scan_for_damage(self) -> bool:
        """Checks the next `listing.SCANNED_ROWS` rows and remembers the damaged ones for `list_jobs`. False where the scan has
        reached the last row; the next call starts a new scan.
        """
        after = self._damaged.scanned_up_to
        found, last = await self._reader.read(
            partial(listing.damaged_rows, after=after, limit=listing.SCANNED_ROWS)
        )
        self._damaged.add_scanned(found, last)
        return last is not None

    async def hide(self, job_id: str) -> None:
        """Hides the ended jobs with this id."""
        await self._writer.write(partial(jobs.hide, job_id=job_id))

    async def discard(self, number: int) -> None:
        """Marks a damaged job, by its row's number, for removal; `remove_hidden` removes the job once its events are delivered."""
        await self._writer.write(partial(jobs.discard, number=number))
