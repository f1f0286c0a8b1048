"""Logs of jobs in the store."""

from functools import partial

from jobd.store.stores.connections import Connections
from jobd.store.tables import logs
from jobd.store.tables.rows import LogChunk, LogStats


class LogStore(Connections):
    """Reads logs. `JobStore.commit` writes them."""

    async def log_chunks(self, uid: str, after_seq: int, max_bytes: int) -> list[LogChunk]:
        """Returns the chunks with lines after `after_seq`, in order, up to `max_bytes` and at least one; the first chunk may also
        contain earlier lines.
        """
        return await self._reader.read(
            partial(logs.chunks, uid=uid, after_seq=after_seq, max_bytes=max_bytes)
        )

    async def log_stats(self, uid: str) -> LogStats:
        """Returns the size of a job's log."""
        return await self._reader.read(partial(logs.stats, uid=uid))
