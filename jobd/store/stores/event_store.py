"""Events in the store, as the event feed reads them."""

from functools import partial

from jobd.store.stores.connections import PAGE_BYTES, Connections
from jobd.store.tables import events
from jobd.store.tables.rows import StoredEvent


class EventStore(Connections):
    """Reads events."""

    async def list_events(
        self, after_seq: int, job_uid: str | None, limit: int, max_bytes: int = PAGE_BYTES
    ) -> list[StoredEvent]:
        """Returns up to `limit` events after `after_seq`, oldest first; fewer where the events are long (`max_bytes` a page)."""
        return await self._reader.read(
            partial(events.after, after_seq=after_seq, uid=job_uid, limit=limit, max_bytes=max_bytes)
        )

    async def last_seq(self) -> int:
        """Returns the highest event number so far: a reader that wants only new events starts there."""
        return await self._reader.read(events.last_seq)
