"""The file: private, versioned, and refused unchanged if it is damaged."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobd.store.errors import StoreCorrupt, StoreFailed
from jobd.store.sqlite import database
from jobd.store.sqlite.reader import READERS
from jobd.store.store import Store


async def _filled(path: Path, make: Any, jobs: int = 200) -> None:
    store = await Store.open(path)
    for n in range(jobs):
        await store.commit(make.claim(f"u{n}", events=1, record=b"x" * 500))
    await store.close()


async def test_the_file_is_private_whatever_the_umask(path: Path, make: Any) -> None:
    before = os.umask(0)
    try:
        store = await Store.open(path)
        await store.commit(make.claim())
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        await store.close()
    finally:
        os.umask(before)
    assert modes == {"jobd.db": 0o600, "jobd.db-wal": 0o600, "jobd.db-shm": 0o600}


async def test_the_mode_of_a_readable_file_is_corrected(path: Path, make: Any) -> None:
    await _filled(path, make, 1)
    path.chmod(0o644)
    await (await Store.open(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_an_empty_file_becomes_the_newest_version(path: Path, make: Any) -> None:
    path.touch()
    store = await Store.open(path)
    await store.commit(make.claim())
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == database.migrations()[-1][0]
        assert connection.execute("PRAGMA application_id").fetchone()[0] == database.APPLICATION_ID
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


def test_an_interrupted_migration_is_repeated(path: Path) -> None:
    # An empty file with jobd's application id: a crash before the first migration's commit leaves that.
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    opened = database.prepare(path)
    assert opened.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0
    opened.close()


def test_a_migration_that_fails_leaves_the_version_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = database.migrations()
    database.prepare(path).close()
    bad = [*good, (len(good) + 1, "CREATE TABLE extra (x); CREATE TABLE jobs (x);")]
    monkeypatch.setattr(database, "migrations", lambda: bad)
    with pytest.raises(StoreFailed, match="already exists"):
        database.prepare(path)
    monkeypatch.setattr(database, "migrations", lambda: [*good, (len(good) + 1, "CREATE TABLE extra (x);")])
    opened = database.prepare(path)
    assert opened.execute("PRAGMA user_version").fetchone()[0] == len(good) + 1
    opened.close()


async def test_a_newer_file_is_refused_and_kept(path: Path, make: Any) -> None:
    await _filled(path, make, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="newer jobd"):
        await Store.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [1, 50, 4096, 20_000, -4096])
async def test_a_truncated_file_is_refused_and_kept(path: Path, make: Any, keep: int) -> None:
    await _filled(path, make)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    with pytest.raises(StoreCorrupt, match=r"cannot be used.*has not changed the file") as refused:
        await Store.open(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == whole[:keep]


async def test_a_damaged_file_is_refused_and_kept(path: Path, make: Any) -> None:
    await _filled(path, make)
    whole = path.read_bytes()
    damaged = whole[:8192] + os.urandom(8192) + whole[16384:]
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupt, match="damaged"):
        await Store.open(path)
    assert path.read_bytes() == damaged


async def test_a_text_file_is_refused_and_kept(path: Path) -> None:
    path.write_text("not a database " * 100)
    with pytest.raises(StoreCorrupt):
        await Store.open(path)
    assert path.read_text().startswith("not a database")


async def test_another_programs_database_is_refused_and_kept(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="another program"):
        await Store.open(path)
    assert path.read_bytes() == before


async def test_a_link_in_the_files_place_is_refused(path: Path) -> None:
    target = path.with_name("target")
    target.touch()
    path.symlink_to(target)
    with pytest.raises(StoreFailed):
        await Store.open(path)
    assert target.stat().st_size == 0


async def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="No such file"):
        await Store.open(tmp_path / "none" / "jobd.db")


@pytest.mark.parametrize("is_writer", [True, False], ids=["writer", "reader"])
async def test_each_connection_bounds_its_page_cache(path: Path, make: Any, is_writer: bool) -> None:
    await _filled(path, make, 1)
    connection = database.open_writer(path) if is_writer else database.open_reader(path)
    with contextlib.closing(connection):
        asked = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("cache_size", "mmap_size")
        }
        assert asked == {"cache_size": -(database.CACHE_BYTES >> 10), "mmap_size": 0}
        assert connection.execute("PRAGMA cache_spill").fetchone()[0] > 0
    assert READERS + 1 == 3, "the connections of a store"


MEASURED = """
import re, sys
from pathlib import Path
from jobd.store.sqlite import database

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10

path = Path(sys.argv[1])
writer = database.open_writer(path)
writer.execute("CREATE TABLE IF NOT EXISTS heap (n INTEGER PRIMARY KEY, data BLOB)")
before = resident()
writer.execute("BEGIN")
for n in range(10_000):
    writer.execute("INSERT INTO heap (data) VALUES (?)", (b"x" * 4000,))
written = resident()
writer.execute("COMMIT")
reader = database.open_reader(path)
for _ in reader.execute("SELECT data FROM heap"):
    pass
print(written - before, resident() - written)
"""


async def test_pages_beyond_the_cache_are_not_in_memory(path: Path, make: Any) -> None:
    await _filled(path, make, 1)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], check=True, capture_output=True, text=True
    )
    written, read = map(int, done.stdout.split())
    most = database.CACHE_BYTES + (4 << 20)
    assert (written < most, read < most) == (True, True), "40 MB were written and read"
