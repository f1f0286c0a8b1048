"""The errors that the store raises.

    StoreError
    ├── StoreFailed          the disk or the database failed; nothing of this call was stored
    │   ├── StoreFull        the disk is full
    │   └── StoreClosed      the store is closed or closing
    ├── StoreCorrupt         the file is damaged, of another program, or of a newer version; jobd does not change it
    ├── StateLocked          another daemon uses the state directory
    ├── IdTaken              the id belongs to another job
    ├── NoSuchJob            the row to change does not exist
    ├── StaleJob             the row has changed since it was read
    ├── UnreadableJob        one job's row is damaged; other jobs are not affected
    └── DeliveriesPending    a purge would lose events that are not delivered yet

Each has a kebab-case `code`. This package translates foreign exceptions (sqlite3, OSError) into these.
"""

import sqlite3

from jobd.store.tables.rows import JobRow


class StoreError(Exception):
    """Base of the store's errors."""

    code = "store-error"


class StoreFailed(StoreError):
    """The disk or the database failed. Nothing of this call was stored; the store remains usable."""

    code = "store-failed"


class StoreFull(StoreFailed):
    """The disk is full, or the database has reached its size limit."""

    code = "disk-full"


class StoreClosed(StoreFailed):
    """The store is closed."""

    code = "store-closed"


class StoreCorrupt(StoreError):
    """The file cannot be used. jobd keeps it unchanged, so that the operator can examine or restore it."""

    code = "store-corrupt"


class StateLocked(StoreError):
    """Another daemon uses the state directory. `pid` is its process id, None where it is unknown."""

    code = "state-locked"

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class IdTaken(StoreError):
    """The id belongs to the job `existing`."""

    code = "exists"

    def __init__(self, existing: JobRow) -> None:
        super().__init__(f"job id {existing.id!r} is taken")
        self.existing = existing


class NoSuchJob(StoreError):
    """No row has this uid: the job never existed, or was purged."""

    code = "not-found"


class StaleJob(StoreError):
    """The row has changed since it was read. Nothing was written: the caller reads the row again and repeats its decision."""

    code = "stale-job"


class UnreadableJob(StoreError):
    """The job's row is damaged, or this jobd cannot decode its record; `why` says which. Other jobs are not affected."""

    code = "unreadable"

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"job {job_id!r} cannot be read: {why}; delete the job to remove it")
        self.why = why


class DeliveriesPending(StoreError):
    """The job has events that are not delivered yet."""

    code = "deliveries-pending"


_FULL = {sqlite3.SQLITE_FULL}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translated(error: Exception) -> StoreError:
    """Returns the store's error for an exception of SQLite or the system."""
    if isinstance(error, StoreError):
        return error
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _FULL:
        return StoreFull("the database cannot grow: the disk is full or its size limit is reached")
    if primary in _CORRUPT:
        return StoreCorrupt(f"the database is damaged ({error}); jobd does not change the file")
    return StoreFailed(f"the database failed: {error}")
