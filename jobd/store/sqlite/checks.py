"""Checksums of what is stored, and what they say of a row that was read. Pure.

A flipped byte on the disk changes a value and leaves the database in order; only a checksum tells.
Source: RFC 1952, 8 (CRC-32), which finds every single flipped byte.
"""

import sqlite3
import zlib

_SEPARATOR = b"\x1f"
_NONE = b"\x00"

Value = str | bytes | int | None


def checksum(*values: Value) -> int:
    """Returns the checksum of some values, in their order."""
    if len(values) == 1 and isinstance(values[0], bytes):
        return zlib.crc32(values[0])
    return zlib.crc32(_SEPARATOR.join(map(_bytes, values)))


def add_to(connection: sqlite3.Connection) -> None:
    """Makes `checksum` known to SQL, for migrations."""
    connection.create_function("checksum", -1, checksum, deterministic=True)


def fits(expected: int | None, *values: Value) -> bool:
    """True where the values are those of the checksum; also where there is none, as in rows of older versions."""
    return expected is None or expected == checksum(*values)


def _bytes(value: Value) -> bytes:
    if value is None:
        return _NONE
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
