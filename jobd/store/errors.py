"""What the store raises.

    StoreError
    ├── StoreFailed          the disk or the database refused; nothing of this call was kept
    │   ├── StoreFull        no room left
    │   └── StoreClosed      the store is closed or closing
    ├── StoreCorrupt         the file is damaged, foreign, or of a newer version; it is left as it is
    ├── StateLocked          another daemon uses the state directory
    ├── IdTaken              the id belongs to another job still
    ├── NoSuchJob            the row to be changed is not there
    ├── StaleJob             the row was changed since it was read
    ├── UnreadableJob        one job's row is damaged; all others go on
    └── DeliveriesPending    a purge would lose events that still have to go out

Each has a kebab-case `code`. Foreign exceptions (sqlite3, OSError) are turned into these inside this package.
"""

import sqlite3

from jobd.store.tables.rows import JobRow


class StoreError(Exception):
    """Base of what the store raises."""

    code = "store-error"


class StoreFailed(StoreError):
    """The disk or the database refused. Nothing of this call was kept; the store goes on."""

    code = "store-failed"


class StoreFull(StoreFailed):
    """There is no room left on the disk, or the database has reached its limit."""

    code = "disk-full"


class StoreClosed(StoreFailed):
    """The store is closed."""

    code = "store-closed"


class StoreCorrupt(StoreError):
    """The file cannot be used as it is. It is kept, so that it can be looked at or restored."""

    code = "store-corrupt"


class StateLocked(StoreError):
    """Another daemon holds the state directory. `pid` is its process, where it could be read."""

    code = "state-locked"

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class IdTaken(StoreError):
    """The id is held by `existing`."""

    code = "exists"

    def __init__(self, existing: JobRow) -> None:
        super().__init__(f"job id {existing.id!r} is taken")
        self.existing = existing


class NoSuchJob(StoreError):
    """No row with this uid: it was never made, or has been purged."""

    code = "not-found"


class StaleJob(StoreError):
    """The row was changed since it was read. Nothing was written: read it again and decide anew."""

    code = "stale-job"


class UnreadableJob(StoreError):
    """The job's row is damaged, or what it holds is nothing that this jobd can read; `why` says which. Other jobs go on."""

    code = "unreadable"

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"job {job_id!r} cannot be read: {why}; delete it to be rid of it")
        self.why = why


class DeliveriesPending(StoreError):
    """The job has events that still have to go out."""

    code = "deliveries-pending"


_FULL = {sqlite3.SQLITE_FULL}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translated(error: Exception) -> StoreError:
    """Returns the store's own error for one that SQLite or the system raised."""
    if isinstance(error, StoreError):
        return error
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _FULL:
        return StoreFull("the database cannot grow: the disk is full or its size limit is reached")
    if primary in _CORRUPT:
        return StoreCorrupt(f"the database is damaged ({error}); the file is left as it is")
    return StoreFailed(f"the database refused: {error}")
