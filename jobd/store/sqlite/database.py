"""The database file: safe opening, settings, schema version.

Owns the pragmas, the file's mode, the check for damage and the migrations in `migrations/`, which run in the order of their
numbers. Knows no table by name.

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
"""`jobd` in ASCII: distinguishes jobd's file from other SQLite databases."""
BUSY_TIMEOUT_S = 10.0
WAL_BYTES = 4 << 20
"""SQLite checkpoints the log file from this length on, which keeps it about that long."""
WAL_LIMIT_BYTES = 16 << 20
CHECKED_BYTES = 256 << 20
"""Up to this size jobd checks the whole file at its start, in about a second."""
PAGE_BYTES = 4096
CACHE_BYTES = 2 << 20
"""The page cache of one connection. A transaction that changes more pages writes them to the log file before its end."""
OLDEST_SQLITE = (3, 35, 0)

T = TypeVar("T")


def migrations() -> list[tuple[int, str]]:
    """Returns the numbers and texts of all migrations, in order; the numbers are 1, 2, 3 and so on."""
    folder = resources.files("jobd.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in names]
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreFailed("the migrations of this installation are incomplete: install jobd again")
    return found


def _bound_memory(connection: sqlite3.Connection) -> None:
    """Limits a connection's page cache, also during a transaction that changes many pages."""
    connection.execute(f"PRAGMA cache_size = -{CACHE_BYTES // 1024}")
    connection.execute("PRAGMA cache_spill = ON")
    connection.execute("PRAGMA mmap_size = 0").fetchall()
    connection.execute("PRAGMA temp_store = MEMORY")


def open_writer(path: Path, max_bytes: int | None = None, wal_bytes: int = WAL_BYTES) -> sqlite3.Connection:
    """Opens the one write connection; creates the file if it is missing. `max_bytes` limits the size of the file; `wal_bytes` is the
    length of the log file from which on SQLite checkpoints it.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # SQLite does not overwrite freed pages: a deletion would write as much to the log file as it frees.
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
    """Opens a read-only connection."""
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
    """Moves the whole log file into the database and truncates it; outside of a transaction. Waits for no reader.

    Returns whether the checkpoint was complete.
    Source: SQLite documentation, PRAGMA wal_checkpoint.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    return not busy


def checkpoint_what_fits(connection: sqlite3.Connection) -> None:
    """Moves as much of the log file as fits into the database, so that SQLite can write the log file from its start again."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        pass  # the disk has no space for that either: the frames stay in the log file


def run_despite_bad_utf8(
    connection: sqlite3.Connection,
    query: Callable[[sqlite3.Connection], T],
    roll_back: Callable[[], object] = lambda: None,
) -> T:
    """Returns the result of `query`. If stored text is damaged and no longer UTF-8, calls `roll_back` and runs `query` again with
    U+FFFD for the damaged bytes.
    """
    try:
        return query(connection)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("Could not decode to UTF-8"):
            raise
    roll_back()
    connection.text_factory = _with_replacements
    try:
        return query(connection)
    finally:
        connection.text_factory = str


def _with_replacements(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def prepare(path: Path, max_bytes: int | None = None, wal_bytes: int = WAL_BYTES) -> sqlite3.Connection:
    """Opens `path` for writing, makes it private (0600), checks it and migrates it to this version's schema.

    Safe to repeat; an interrupted migration starts again.

    Raises:
        StoreCorrupt: the file is damaged, is not jobd's, or was written by a newer jobd. It is not changed.
        StoreFailed: the disk or the database failed.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreFailed(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
    try:
        _make_private(path)
        if _has_content(path):
            # A read-only connection leaves a refused file unchanged.
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
        f"{path} cannot be used: {why}. jobd has not changed the file; move it away (with its -wal and -shm) to start empty, "
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
        raise _corrupt(path, "it is not a database, or is truncated")
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
    checks.register(connection)
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
