"""The use cases of sets of jobs: show, list, cancel all jobs of a set.

A set is the name that its jobs have in `set`; it exists while it has a job that is not deleted.
"""

import asyncio

from jobd.errors import InvalidRequest, NotFound
from jobd.jobs.run.supervisors import Supervisors
from jobd.jobs.state.facts import CancelRequested
from jobd.jobs.storage import SetRows
from jobd.store.tables.rows import SetRow
from jobd.wire.event import rfc3339
from jobd.wire.validation.names import group_problem
from jobd.wire.views.sets import SetCancelled, SetList, SetView

CANCELS_AT_ONCE = 100
"""So many requests share a commit, and the event loop does its other work between them."""


class SetService:
    """Reads sets from the store, and has their jobs cancelled by the supervisors."""

    def __init__(self, store: SetRows, supervisors: Supervisors) -> None:
        self._store = store
        self._supervisors = supervisors

    async def get(self, name: str) -> SetView:
        """Returns the numbers of a set. Raises InvalidRequest: the name is no name of a set. NotFound: the set has no jobs."""
        _check(name)
        row = await self._store.get_set(name)
        if row is None:
            raise NotFound(f"no set {name!r}")
        return _view(row)

    async def page(self, cursor: str | None, limit: int) -> SetList:
        """Returns one page of sets, newest first. Raises InvalidRequest: jobd did not make this cursor."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
            raise InvalidRequest("not a cursor of this list", field="cursor")
        page = await self._store.list_sets(None if cursor is None else int(cursor), limit)
        return SetList(
            sets=[_view(row) for row in page.sets], next=None if page.cursor is None else str(page.cursor)
        )

    async def cancel(self, name: str, request: CancelRequested) -> SetCancelled:
        """Stores a request to end each job of the set that has not ended; returns how many those are. Waiting jobs come first, so that none
        of them starts in the place of another one; newer ones before older ones, so that no dependency's end comes first. Completes even
        if the caller is cancelled; a repeated call does what is left.

        Raises:
            InvalidRequest, NotFound: as `get`.
        """
        await self.get(name)
        return await asyncio.shield(asyncio.create_task(self._cancel(name, request), name=f"cancel {name}"))

    async def _cancel(self, name: str, request: CancelRequested) -> SetCancelled:
        uids = await self._store.active_in_set(name)
        cancelled = 0
        for begin in range(0, len(uids), CANCELS_AT_ONCE):
            found = [self._supervisors.get(uid) for uid in uids[begin : begin + CANCELS_AT_ONCE]]
            active = [one for one in found if one is not None and not one.record.ended]
            await asyncio.gather(*(one.request(request) for one in active))
            cancelled += len(active)
        return SetCancelled(id=name, status="cancelling", jobs=cancelled)


def _check(name: str) -> None:
    if why := group_problem(name):
        raise InvalidRequest(f"the set's id {why}", field="id")


def _view(row: SetRow) -> SetView:
    return SetView(
        id=row.name,
        total=row.total,
        waiting=row.waiting,
        running=row.running,
        completed=row.completed,
        failed=row.failed,
        cancelled=row.cancelled,
        unreadable=row.unreadable,
        created_at=rfc3339(row.created_at),
        finished_at=None if row.finished_at is None else rfc3339(row.finished_at),
    )
