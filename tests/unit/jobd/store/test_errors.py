"""SQLite's errors become the store's own."""

import sqlite3

import pytest

from jobd.store.errors import NoSuchJob, StoreCorrupt, StoreFailed, StoreFull, translated


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreCorrupt),
        (sqlite3.SQLITE_NOTADB, StoreCorrupt),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreFailed),
        (sqlite3.SQLITE_BUSY, StoreFailed),
    ],
)
def test_each_sqlite_code_becomes_its_store_error(code: int, kind: type[Exception]) -> None:
    assert type(translated(sqlite_error(code))) is kind


def test_store_errors_stay_and_other_errors_become_store_failed() -> None:
    own = NoSuchJob("x")
    assert translated(own) is own
    assert type(translated(OSError("x"))) is StoreFailed
