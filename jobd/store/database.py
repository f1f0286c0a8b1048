"""The database file: opening it safely, its settings, its version.

Owns the pragmas, the file's mode, the check for damage and the migrations in `migrations/`, which are applied in the
order of their numbers. Knows no table by name.

Source: SQLite documentation, "Write-Ahead Logging", PRAGMA synchronous, user_version, application_id.
"""

import os
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from jobd.store.errors import StoreCorrupt, StoreError, StoreFailed, translated

APPLICATION_ID = 0x6A6F6264
"""`jobd` in ASCII: tells our file from any other SQLite database."""
BUSY_TIMEOUT_S = 10.0
WAL_PAGES = 1000
"""A checkpoint every 4 MiB of log, so that the log file stays about that long."""
WAL_LIMIT_BYTES = 16 << 20
CHECKED_BYTES = 256 << 20
"""Up to this size the whole file is checked at start; it takes about a second."""
PAGE_BYTES = 4096
OLDEST_SQLITE = (3, 35, 0)


def migrations() -> list[tuple[int, str]]:
    """Returns the numbers and texts of all migrations, in order, from 1 without a gap."""
    folder = resources.files("jobd.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in names]
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreFailed("the migrations of this installation are incomplete: install jobd again")
    return found


def open_writer(path: Path, max_bytes: int | None = None) -> sqlite3.Connection:
    """Opens the one connection that writes; makes the file where it is absent. `max_bytes` bounds the file's size."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        connection.execute("PRAGMA temp_store = MEMORY")
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
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(path: Path, max_bytes: int | None = None) -> sqlite3.Connection:
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
        connection = open_writer(path, max_bytes)
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
