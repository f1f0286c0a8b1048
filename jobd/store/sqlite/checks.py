"""Checksums of stored values, and their check when a row is read. Pure.

SQLite's own check does not notice a byte of a value that flips on the disk; a checksum does.
Source: RFC 1952, section 8 (CRC-32), which detects every single flipped byte.
"""

import sqlite3
import zlib

_SEPARATOR = b"\x1f"
_NONE = b"\x00"

Value = str | bytes | int | None


def checksum(*values: Value) -> int:
    """Returns the checksum of some values; their order counts."""
    if len(values) == 1 and isinstance(values[0], bytes):
        return zlib.crc32(values[0])
    return zlib.crc32(_SEPARATOR.join(map(_bytes, values)))


def register(connection: sqlite3.Connection) -> None:
    """Registers `checksum` as an SQL function, for migrations."""
    connection.create_function("checksum", -1, checksum, deterministic=True)


def fits(expected: int | None, *values: Value) -> bool:
    """Returns whether the values match the checksum; True where there is none, as in rows of older versions."""
    return expected is None or expected == checksum(*values)


def _bytes(value: Value) -> bytes:
    if value is None:
        return _NONE
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
