"""Sets of jobs in the store: the numbers of their jobs."""

from functools import partial

from jobd.store.stores.connections import Connections
from jobd.store.tables.jobs import sets
from jobd.store.tables.jobs.damaged_rows import DamagedRows
from jobd.store.tables.rows import SetPage, SetRow


class SetStore(Connections):
    """Reads sets. A set exists while it has a job that is not hidden."""

    _damaged: DamagedRows

    async def get_set(self, name: str) -> SetRow | None:
        """Returns the numbers of a set's jobs, None if it has none."""
        return await self._reader.read(partial(sets.load, name=name, damaged=self._damaged.known))

    async def list_sets(self, before: int | None, limit: int) -> SetPage:
        """Returns one page of sets, newest first, fewer than `limit` where the jobs of some are all hidden."""
        return await self._reader.read(
            partial(sets.page, before=before, limit=limit, damaged=self._damaged.known)
        )

    async def active_in_set(self, name: str) -> list[str]:
        """Returns the uids of the set's jobs that have not ended: those that wait, then the others; of both the newest first."""
        return await self._reader.read(partial(sets.active, name=name))
