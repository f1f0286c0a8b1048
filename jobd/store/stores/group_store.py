"""Settings of groups in the store: each change is one durable commit."""

from functools import partial

from jobd.store.stores.connections import Connections
from jobd.store.tables import groups
from jobd.store.tables.rows import GroupRow, QueueRow


class GroupStore(Connections):
    """Reads and writes the settings of groups."""

    async def load_queue(self) -> QueueRow:
        """Returns the settings of all groups, and whether everything is paused."""
        return await self._reader.read(groups.load)

    async def put_group(self, group: GroupRow) -> None:
        """Writes the settings of a group."""
        await self._writer.write(partial(groups.put, group=group))

    async def remove_group(self, name: str) -> None:
        """Removes the settings of a group. Safe to repeat."""
        await self._writer.write(partial(groups.remove, name=name))

    async def set_queue_paused(self, paused: bool, freezes: bool) -> None:
        """Pauses or resumes all groups; `freezes`: also their running jobs."""
        await self._writer.write(partial(groups.set_paused, paused=paused, freezes=freezes))
