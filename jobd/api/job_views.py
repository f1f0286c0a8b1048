"""The responses of `GET /v1/jobs/{id}`. That of an ended job is kept, and sent again as long as the job's row does not change.

A hit saves the read from the store, the decoding of record and spec, and the encoding: three quarters of the request's processor time.
"""

from typing import Protocol

from jobd.api.respond import encode
from jobd.jobs.service import JobService


class KeptViews(Protocol):
    """The store's memory of ended jobs: `jobd.store.stores.ended_views`."""

    @property
    def changes(self) -> int:
        """Counts the commits."""
        ...

    def get(self, job_id: str) -> bytes | None:
        """Returns the bytes that are kept for this id."""
        ...

    def keep(self, job_id: str, view: bytes, changes: int) -> None:
        """Keeps `view` until the job's row changes. `changes`: the count before the row was read."""
        ...


class JobViews:
    """Makes and keeps the responses."""

    def __init__(self, jobs: JobService, kept: KeptViews) -> None:
        self._jobs = jobs
        self._kept = kept

    def kept(self, job_id: str) -> bytes | None:
        """Returns the kept view of an ended job, as JSON, at most 64 KiB; None where none is kept."""
        return self._kept.get(job_id)

    async def json(self, job_id: str) -> bytes:
        """Returns the view of the newest job with this id, as JSON. Raises NotFound."""
        body = self.kept(job_id)
        if body is None:
            changes = self._kept.changes
            view, is_final = await self._jobs.show(job_id)
            body = encode(view)
            if is_final:
                self._kept.keep(job_id, body, changes)
        return body
