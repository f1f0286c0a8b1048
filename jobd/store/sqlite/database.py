"""The database file: opening it safely, its settings, its version.

Owns the pragmas, the file's mode, the check for damage and the migrations in `migrations/`, which are applied in the
order of their numbers. Knows no table by name.

Source: SQLite documentation, "Write-Ahead Logging", PRAGMA synchronous, user_version, application_id.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from jobd.store.errors import StoreCorrupt, StoreError, StoreFailed, translated
from jobd.store.sqlite import checks

APPLICATION_ID = 0x6A6F6264
"""`jobd` in ASCII: tells our file from any other SQLite database."""
BUSY_TIMEOUT_S = 10.0
WAL_BYTES = 4 << 20
"""The log file is brought into the database when it is this long, so it stays about that long."""
WAL_LIMIT_BYTES = 16 << 20
CHECKED_BYTES = 256 << 20
"""Up to this size the whole file is checked at start; it takes about a second."""
PAGE_BYTES = 4096
CACHE_BYTES = 2 << 20
"""The pages that one connection keeps. A transaction that changes more of them writes them to the log file before its end."""
OLDEST_SQLITE = (3, 35, 0)

T = TypeVar("T")


def migrations() -> list[tuple[int, str]]:
    """Returns the numbers and texts of all migrations, in order, from 1 without a gap."""
    folder = resources.files("jobd.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in names]
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreFailed("the migrations of this installation are incomplete: install jobd again")
    return found


def _bound_memory(connection: sqlite3.Connection) -> None:
    """Bounds a connection's page cache, whatever the library's default is, also while a transaction changes many pages."""
    connection.execute(f"PRAGMA cache_size = -{CACHE_BYTES // 1024}")
    connection.execute("PRAGMA cache_spill = ON")
    connection.execute("PRAGMA mmap_size = 0").fetchall()
    connection.execute("PRAGMA temp_store = MEMORY")


def open_writer(path: Path, max_bytes: int | None = None, wal_bytes: int = WAL_BYTES) -> sqlite3.Connection:
    """Opens the one connection that writes; makes the file where it is absent. `max_bytes` bounds the file's size; from
    `wal_bytes` on the log file is brought into it.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Pages that become free are not written over: deleting would take as much room in the log file as it gives back.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute(f"PRAGMA wal_autocheckpoint = {wal_bytes // PAGE_BYTES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        _bound_memory(connection)
        if max_bytes is not None:
            connection.execute(f"PRAGMA max_page_count = {max(max_bytes // PAGE_BYTES, 1)}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Opens a connection that cannot write."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        _bound_memory(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Brings all of the log file into the database and empties it; outside of a transaction. Waits for no reader.

    Returns whether all of it went.
    Source: SQLite documentation, PRAGMA wal_checkpoint.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    return not busy


def fold_back(connection: sqlite3.Connection) -> None:
    """Brings what it can of the log file into the database, so that the log file is written again from its start."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        pass  # there is no room for that either: what is in the log file stays there


def reading_damaged_text(
    connection: sqlite3.Connection,
    query: Callable[[sqlite3.Connection], T],
    take_back: Callable[[], object] = lambda: None,
) -> T:
    """Returns what `query` returns. Text that is not UTF-8 any more comes back with marks in the place of what is wrong;
    for that `query` is run a second time, after `take_back`.
    """
    try:
        return query(connection)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("Could not decode to UTF-8"):
            raise
    take_back()
    connection.text_factory = _marked
    try:
        return query(connection)
    finally:
        connection.text_factory = str


def _marked(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def prepare(path: Path, max_bytes: int | None = None, wal_bytes: int = WAL_BYTES) -> sqlite3.Connection:
    """Opens `path` for writing, makes it private (0600), checks it and brings it to this version's schema.

    Safe to repeat; a migration that was cut short is begun again from its start.

    Raises:
        StoreCorrupt: the file is damaged, is not jobd's, or was written by a newer jobd. It is left as it is.
        StoreFailed: the disk refused.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreFailed(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
    try:
        _make_private(path)
        if _has_content(path):
            # Through a connection that cannot write, so that what is refused was not changed.
            with closing(open_reader(path)) as reading:
                _check(reading, path)
        connection = open_writer(path, max_bytes, wal_bytes)
    except (OSError, sqlite3.Error) as error:
        raise _at(path, error) from error
    try:
        _migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise _at(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _at(path: Path, error: Exception) -> StoreError:
    known = translated(error)
    if isinstance(known, StoreCorrupt):
        return _corrupt(path, f"it is damaged ({error})")
    return type(known)(f"{path}: {known}")


def _corrupt(path: Path, why: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"{path} cannot be used: {why}. The file was left as it is; move it away (with its -wal and -shm) to start empty, "
        "or put a backup in its place."
    )


def _make_private(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _has_content(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(100)
    if header and (len(header) < 100 or not header.startswith(b"SQLite format 3\0")):
        raise _corrupt(path, "it is not a database, or is cut short")
    return bool(header)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    latest = migrations()[-1][0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != APPLICATION_ID and (tables or version):
        raise _corrupt(path, "it is a database of another program")
    if version > latest:
        raise _corrupt(
            path, f"it was written by a newer jobd (schema {version}, this one knows {latest}): upgrade jobd"
        )
    if version and path.stat().st_size <= CHECKED_BYTES:
        findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        if findings != ["ok"]:
            raise _corrupt(path, "it is damaged (" + "; ".join(findings) + ")")


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    checks.add_to(connection)
    for number, text in migrations():
        if number <= version:
            continue
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{text}\nPRAGMA application_id = {APPLICATION_ID};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
