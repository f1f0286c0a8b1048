"""Damage of any byte of the write-ahead log is detected; the log of a killed process is not damaged."""

import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobd.store.sqlite.wal import examine
from jobd.store.store import Store

# Writes rows whose number and size grow, and says of each when it is committed. `spill`: a cache so small that pages of a
# transaction that is never committed reach the log.
WRITER = """
import os, sqlite3, sys
path, checkpoint, spill = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "spill"
c = sqlite3.connect(path, isolation_level=None)
c.execute("PRAGMA journal_mode=WAL"); c.execute("PRAGMA synchronous=FULL")
c.execute(f"PRAGMA wal_autocheckpoint={checkpoint}")
c.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, data BLOB)")
if spill:
    c.execute("PRAGMA cache_size=5")
n = c.execute("SELECT count(*) FROM t").fetchone()[0]
while True:
    c.execute("BEGIN IMMEDIATE")
    c.execute("INSERT INTO t (data) VALUES (?)", (os.urandom(500 + 977 * n % 20000),))
    if spill and n % 7 == 3:
        for _ in range(40):
            c.execute("INSERT INTO t (data) VALUES (?)", (os.urandom(5000),))
        c.execute("ROLLBACK"); n += 1
        continue
    c.execute("COMMIT"); n += 1
    print(n, flush=True)
"""


def killed(path: Path, commits: int, checkpoint: int = 1000, spill: bool = False, wait_s: float = 0.0) -> int:
    """Starts a process that writes, and kills it after some commits; returns the number of acknowledged commits."""
    argv = [sys.executable, "-c", WRITER, str(path), str(checkpoint), "spill" if spill else "-"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(commits):
            process.stdout.readline()
        time.sleep(wait_s)
        process.kill()
        rest = process.stdout.read().splitlines()
    return commits + len(rest)


def files(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 't'").fetchone():
            return 0
        count: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return count
    finally:
        connection.close()


@pytest.mark.parametrize("spill", [False, True])
def test_a_killed_writer_leaves_no_damage(tmp_path: Path, spill: bool) -> None:
    chance = random.Random(spill)
    for n in range(12):
        checkpoint = chance.choice([5, 40, 1000])
        killed(tmp_path / "a.db", chance.randint(1, 60), checkpoint, spill, chance.random() / 100)
        wal, shm = files(tmp_path / "a.db")
        assert examine(wal, shm) is None, f"kill {n}"
        if n % 3 == 2:
            rows(tmp_path / "a.db")  # opened, read and closed once


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a killed process, without any checkpoint."""
    path = tmp_path_factory.mktemp("left") / "a.db"
    killed(path, 40, checkpoint=100_000)
    return path


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, killed right after a checkpoint of the whole log."""
    for _ in range(200):
        path = tmp_path_factory.mktemp("folded") / "a.db"
        killed(path, 40, checkpoint=5)
        if 0 < shm_backfilled(path) == committed_frames(path):
            return path
    pytest.fail("no kill came right after a checkpoint")


def committed_frames(path: Path) -> int:
    return int.from_bytes(files(path)[1].read_bytes()[16:20], sys.byteorder)


def committed(path: Path) -> int:
    """The committed bytes of the log."""
    return 32 + committed_frames(path) * (24 + 4096)


@pytest.mark.parametrize("which", ["left", "folded"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_every_flipped_byte_and_truncation_of_committed_frames_is_detected(
    request: pytest.FixtureRequest, tmp_path: Path, which: str, place: float, bit: int, cut: bool
) -> None:
    source: Path = request.getfixturevalue(which)
    path = tmp_path / "copy.db"
    for one, suffix in ((source, ""), *zip(files(source), ("-wal", "-shm"), strict=True)):
        shutil.copy(one, path.with_name(path.name + suffix))
    wal, shm = files(path)
    data = bytearray(wal.read_bytes())
    at = int(place * committed(source))
    if cut:
        del data[at:]
    else:
        data[at] ^= 1 << bit
    wal.write_bytes(data)
    damage = examine(wal, shm)
    if at < 32 and which == "folded":
        assert damage is None, "a log without a head is not read, and nothing of it was needed"
        return
    assert damage is not None
    frame = (at - 32) // (24 + 4096) + 1 if at >= 32 else 0
    assert damage.frame == frame
    before = rows(source.with_name("whole.db")) if source.with_name("whole.db").exists() else whole(source)
    assert damage.database_is_newer == (which == "folded"), "SQLite would put old pages over new ones"
    if damage.database_is_newer:
        wal.unlink()
    found = rows(path)
    assert found <= before
    if damage.missing:
        assert found < before


def whole(source: Path) -> int:
    copy = source.with_name("whole.db")
    for one, suffix in ((source, ""), *zip(files(source), ("-wal", "-shm"), strict=True)):
        shutil.copy(one, copy.with_name(copy.name + suffix))
    return rows(copy)


def shm_backfilled(path: Path) -> int:
    return int.from_bytes(files(path)[1].read_bytes()[96:100], sys.byteorder)


def test_a_flipped_byte_in_the_middle_is_detected_without_an_index(left: Path, tmp_path: Path) -> None:
    wal = tmp_path / "a.db-wal"
    data = bytearray(files(left)[0].read_bytes())
    data[32 + 3 * 4120 + 500] ^= 1
    wal.write_bytes(data)
    damage = examine(wal, tmp_path / "none")
    assert damage is not None
    assert damage.frame == 4
    assert damage.commits > 10


def test_an_interrupted_transaction_is_no_damage_without_an_index(left: Path, tmp_path: Path) -> None:
    # As after a loss of power: some pages of the last, unacknowledged transaction are on the disk.
    wal, data = tmp_path / "a.db-wal", files(left)[0].read_bytes()
    frames = [data[at : at + 4120] for at in range(32, committed(left), 4120)]
    commits = [n for n, frame in enumerate(frames) if frame[4:8] != bytes(4)]
    long = next(n for n, (a, b) in enumerate(itertools.pairwise(commits)) if b - a >= 3)
    first, last = commits[long] + 1, commits[long + 1]
    frames[first] = bytes(4120)
    wal.write_bytes(data[:32] + b"".join(frames[: last + 1]))
    assert examine(wal, tmp_path / "none") is None


async def test_a_store_warns_about_missing_commits_and_keeps_the_file(path: Path, make: Any) -> None:
    argv = [sys.executable, "-c", CHILD, str(path)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(30):
        process.stdout.readline()
    process.kill()
    process.communicate()
    wal, _ = files(path)
    data = bytearray(wal.read_bytes())
    at = 32 + (committed(path) - 32) // 4120 // 2 * 4120 + 100
    data[at] ^= 0x10
    wal.write_bytes(data)
    store = await Store.open(path)
    assert store.warning is not None
    assert f"damaged at frame {(at - 32) // 4120 + 1}" in store.warning
    kept = [one for one in path.parent.iterdir() if ".damaged-" in one.name]
    assert [one.read_bytes() for one in kept] == [bytes(data)]
    assert kept[0].stat().st_mode & 0o777 == 0o600
    assert str(kept[0]) in store.warning
    await store.commit(make.claim("new"))
    await store.close()
    store = await Store.open(path)
    assert "earlier start" in (store.warning or "")
    await store.close()
    kept[0].unlink()
    store = await Store.open(path)
    assert store.warning is None
    assert await store.get_by_uid("new") is not None
    await store.close()


CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from jobd.store.tables.rows import JobRow, Transition
from jobd.store.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]))
    now = datetime.now(UTC)
    n = 0
    while True:
        row = JobRow(f"u{n}", f"j{n}", None, "accepted", {}, now, None, True, False, True, b"{}", b"{}")
        await store.commit(Transition(row, claim_id=True))
        n += 1
        print(n, flush=True)

asyncio.run(main())
"""


def test_no_log_is_no_damage(tmp_path: Path) -> None:
    assert examine(tmp_path / "wal", tmp_path / "shm") is None
    (tmp_path / "wal").write_bytes(b"")
    (tmp_path / "shm").write_bytes(os.urandom(32768))
    assert examine(tmp_path / "wal", tmp_path / "shm") is None
