"""The ends of jobs in the store, for statistics."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from jobd.store.stores.connections import Connections
from jobd.store.tables.jobs import ends
from jobd.store.tables.rows import EndedJob

PAGE_ROWS = 1000
"""So many ends are read at once; other queries come between two pages."""


class EndStore(Connections):
    """Reads the ends of jobs."""

    async def each_ended(self, take: Callable[[EndedJob], bool], by: str, since: datetime | None) -> None:
        """Gives the jobs that have ended since a time and are not hidden to `take`, the latest end first, until `take` returns False. `take` runs on
        a reader thread, one call at a time. `by` chooses the keys: `image`, `group`, `label`, `label:NAME`, or nothing.
        """
        before: tuple[int, int] | None = ends.NEWEST
        while before is not None:
            before = await self._reader.read(
                partial(ends.page, take=take, by=by, since=since, before=before, limit=PAGE_ROWS)
            )

    async def oldest_end(self, since: datetime | None) -> datetime | None:
        """Returns the time of the oldest end that `each_ended` finds, None without any."""
        return await self._reader.read(partial(ends.oldest, since=since))
