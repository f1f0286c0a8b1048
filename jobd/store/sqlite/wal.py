"""The write-ahead log after a crash: detects durable commits that can no longer be read.

SQLite silently ignores all frames from the first wrong checksum on. This module detects that before the database is opened. It
only reads, and must run before the first connection, which resets the index. Owns the file formats.

Source: SQLite documentation, "Database File Format" section 4 and "WAL-mode File Format".
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">4I8s2I")
_FRAME = struct.Struct(">2I8s2I")
_INDEX = struct.Struct("=3I2BH2I2I8s2I")
_MAGIC = 0x377F0682
"""The last bit is set where the checksums use big-endian words."""
_MASK = 0xFFFFFFFF
_INDEX_COPIES = 2
_BACKFILLED = struct.Struct("=I")
_BACKFILLED_AT = 96
_ATTEMPTED_AT = 128


@dataclass(frozen=True, slots=True)
class WalDamage:
    """The unreadable part. `frame`: the number of the first bad frame, from 1; 0 is the file's header. `missing`: the number of frames
    from there to the last known commit. `commits`: the number of known commits among them, at least one. `database_is_newer`: the
    database already contains all readable frames of the log, and more.
    """

    frame: int
    missing: int
    commits: int
    database_is_newer: bool


@dataclass(frozen=True, slots=True)
class _Index:
    """The header of the index in shared memory, as the last process left it: the numbers of committed and synced frames."""

    committed: int
    salt: bytes
    backfilled: int
    attempted: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame. `chained`: the frame's checksum follows from the checksum in the frame before."""

    commits: bool
    salted: bool
    chained: bool


def examine(wal: Path, index: Path) -> WalDamage | None:
    """Returns the damage of the log at `wal`, None where all commits are readable. `index`: the `-shm` file, which may be missing.

    Frames of an interrupted transaction are no damage.
    Raises: OSError.
    """
    known = _index(index)
    try:
        with wal.open("rb") as file:
            header = _header(file)
            salt, frames = (None, []) if header is None else (header[0], list(_frames(file, *header)))
    except FileNotFoundError:
        salt, frames = None, []
    bad = next((n for n, frame in enumerate(frames) if not (frame.salted and frame.chained)), len(frames))
    readable = max((n + 1 for n, frame in enumerate(frames[:bad]) if frame.commits), default=0)
    # An unreadable header names no salt; then only the index tells how much was committed.
    committed = known.committed if known and salt in (None, known.salt) else 0
    behind = _commits_behind(frames, bad)
    if len(behind) > 1:
        committed = max(committed, behind[-1] + 1)
    backfilled = known.backfilled if known and committed else 0
    if committed <= readable or (salt is None and committed == backfilled):
        return None
    return WalDamage(
        frame=0 if salt is None else bad + 1,
        missing=committed - max(readable, backfilled),
        commits=max(1, sum(n < committed for n in behind)),
        database_is_newer=known is not None and backfilled > readable and known.attempted == backfilled,
    )


def _commits_behind(frames: list[_Frame], bad: int) -> list[int]:
    """Returns the positions of commits from the bad frame on, as long as the frames behind it form a chain.

    A transaction begins after the sync of the previous one: one commit there may be of an interrupted transaction, two may not.
    """
    found = [bad] if bad < len(frames) and frames[bad].salted and frames[bad].commits else []
    # A bad checksum field breaks two frames: its own, and the next one, whose checksum follows from it.
    begin = next((n for n in (bad + 1, bad + 2) if n < len(frames) and frames[n].chained), len(frames))
    for n in range(begin, len(frames)):
        if not (frames[n].salted and frames[n].chained):
            break
        if frames[n].commits:
            found.append(n)
    return found


def _header(file: BinaryIO) -> tuple[bytes, bool, int, tuple[int, int]] | None:
    """Returns salt, byte order, page size and checksum; None where the header is not valid."""
    data = file.read(_HEADER.size)
    if len(data) < _HEADER.size:
        return None
    magic, _, page, _, salt, one, two = _HEADER.unpack(data)
    if magic & ~1 != _MAGIC or _checksum(data[:24], bool(magic & 1), (0, 0)) != (one, two):
        return None
    return salt, bool(magic & 1), page, (one, two)


def _frames(file: BinaryIO, salt: bytes, big: bool, page: int, checksum: tuple[int, int]) -> Iterator[_Frame]:
    while len(data := file.read(_FRAME.size + page)) == _FRAME.size + page:
        _, pages, salted, one, two = _FRAME.unpack_from(data)
        if salted != salt:
            yield _Frame(commits=False, salted=False, chained=False)
        else:
            found = _checksum(data[_FRAME.size :], big, _checksum(data[:8], big, checksum))
            yield _Frame(commits=pages > 0, salted=True, chained=found == (one, two))
        checksum = (one, two)


def _checksum(data: bytes, big: bool, start: tuple[int, int]) -> tuple[int, int]:
    words = array("I", data)
    if big != (sys.byteorder == "big"):
        words.byteswap()
    one, two = start
    each = iter(words)
    for first, second in zip(each, each, strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two


def _index(path: Path) -> _Index | None:
    try:
        with path.open("rb") as file:
            data = file.read(_ATTEMPTED_AT + _BACKFILLED.size)
    except FileNotFoundError:
        return None
    if len(data) < _ATTEMPTED_AT + _BACKFILLED.size:
        return None
    # SQLite writes the second copy first: if a process ended between the two writes, the second copy is newer.
    for copy in reversed(range(_INDEX_COPIES)):
        begin = copy * _INDEX.size
        *_, committed, _, _, _, salt, one, two = _INDEX.unpack_from(data, begin)
        is_set = data[begin + 12]
        if is_set and _checksum(data[begin : begin + 40], sys.byteorder == "big", (0, 0)) == (one, two):
            return _Index(
                committed,
                salt,
                _BACKFILLED.unpack_from(data, _BACKFILLED_AT)[0],
                _BACKFILLED.unpack_from(data, _ATTEMPTED_AT)[0],
            )
    return None
