"""Reads tar as a stream: ustar, GNU long names, pax headers; refuses everything else.

Reads forwards, block by block, in bounded memory; the standard library's reader would read as many bytes at once as a header claims. An
archive without an end mark was cut.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format".
"""

import re
from collections.abc import Callable

from sidecar.archive_readers.member import BadArchive, Content, Member, Members
from sidecar.entry import shown

BLOCK = 512
_CHUNK_BYTES = 256 * 1024
_LONGEST_HEADER = 64 * 1024
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*\Z")
_PAX_RECORD = re.compile(rb"(\d{1,8}) ([^=\n]+)=")
_LARGEST = 1 << 62
_LATEST_S = 1 << 33
_FILE_TYPES = (b"0", b"\0", b"7")
_KINDS = {b"1": "hardlink", b"2": "symlink", b"5": "directory"}
_REFUSED = {b"3": "a character device", b"4": "a block device", b"6": "a FIFO", b"S": "a sparse file"}

Read = Callable[[int], bytes]
"""Returns at most that many bytes; none at the end of the stream."""


class _Overrides:
    """The values of extended headers for the next member."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.link: str | None = None
        self.size: int | None = None


def read_tar(read: Read) -> Members:
    """Yields the members of a tar stream and then reads the stream to its end.

    Raises:
        BadArchive: the archive is damaged or cut, or uses an unsupported feature.
    """
    overrides = _Overrides()
    while True:
        block = _exactly(read, BLOCK)
        if not any(block):
            break
        _check_checksum(block)
        kind = block[156:157]
        size = _number(block[124:136])
        if kind in (b"L", b"K", b"x", b"X", b"g"):
            _extend(overrides, kind, _header_text(read, size))
            continue
        if overrides.size is not None:
            size = overrides.size
        member = _member(block, kind, size, overrides)
        overrides = _Overrides()
        left = size if member.kind == "file" else 0
        content = _Content(read, left)
        yield member, content.chunks()
        content.skip_rest()
    while read(_CHUNK_BYTES):
        pass  # padding; a gzip stream verifies its checksum at its end


def _member(block: bytes, kind: bytes, size: int, overrides: _Overrides) -> Member:
    name = overrides.name if overrides.name is not None else _name(block)
    mode = _number(block[100:108]) & 0o777
    mtime_s = _mtime(block[136:148])
    if kind in _FILE_TYPES and not (kind == b"\0" and name.endswith("/")):
        return Member(name=name, kind="file", size=size, mode=mode, mtime_s=mtime_s)
    if kind == b"\0":
        return Member(name=name, kind="directory", mode=mode)
    if kind not in _KINDS:
        what = _REFUSED.get(kind, f"of the unknown type {kind!r}")
        raise BadArchive(f"the archive's member '{shown(name, 200)}' is {what}, which is not supported")
    link = overrides.link if overrides.link is not None else _text(block[157:257])
    if kind == b"5":
        return Member(name=name, kind="directory", mode=mode)
    return Member(name=name, kind="hardlink" if kind == b"1" else "symlink", link=link)


class _Content:
    """The bytes of one member and the padding after it."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._left, self._padding = read, size, -size % BLOCK

    def chunks(self) -> Content:
        while self._left:
            chunk = self._read(min(self._left, _CHUNK_BYTES))
            if not chunk:
                raise BadArchive("the archive is cut: it ends within a member")
            self._left -= len(chunk)
            yield chunk

    def skip_rest(self) -> None:
        for _ in self.chunks():
            pass
        if self._padding:
            _exactly(self._read, self._padding)


def _exactly(read: Read, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = read(size - len(data))
        if not more:
            raise BadArchive("the archive is cut: it ends without its end mark")
        data += more
    return data


def _header_text(read: Read, size: int) -> bytes:
    if size > _LONGEST_HEADER:
        raise BadArchive("the archive has an extended header that is too long")
    return _exactly(read, size + -size % BLOCK)[:size]


def _check_checksum(block: bytes) -> None:
    """Checks a header's checksum over unsigned bytes, or over signed ones, as some old programs wrote it."""
    match = _OCTAL.match(block[148:156])
    blanked = block[:148] + b" " * 8 + block[156:]
    signed = sum(blanked) - 256 * sum(byte > 127 for byte in blanked)
    if match is None or int(match[1] or b"0", 8) not in (sum(blanked), signed):
        raise BadArchive("the archive is damaged, or is not a tar archive: a header's checksum is wrong")


def _number(field: bytes) -> int:
    """Returns a header's number: octal text, or GNU's base 256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
        if field[0] & 0x40 or value > _LARGEST:
            raise BadArchive("the archive has a header with a number out of range")
        return value
    match = _OCTAL.match(field)
    if match is None:
        raise BadArchive("the archive has a header with a number that cannot be read")
    return int(match[1] or b"0", 8)


def _mtime(field: bytes) -> int | None:
    """Returns the time, or None where it is invalid, which is no reason to refuse an archive."""
    try:
        seconds = _number(field)
    except BadArchive:
        return None
    return seconds if seconds < _LATEST_S else None


def _name(block: bytes) -> str:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    name = _text(block[0:100])
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def _extend(overrides: _Overrides, kind: bytes, text: bytes) -> None:
    if kind == b"L":
        overrides.name = _text(text)
    elif kind == b"K":
        overrides.link = _text(text)
    else:
        for key, value in _pax_records(text):
            if kind == b"g" and key in (b"path", b"linkpath", b"size"):
                raise BadArchive(
                    "the archive has a global header that renames members, which is not supported"
                )
            if key.startswith(b"GNU.sparse"):
                raise BadArchive("the archive has a sparse file, which is not supported")
            if key == b"path":
                overrides.name = value.decode(errors="surrogateescape")
            elif key == b"linkpath":
                overrides.link = value.decode(errors="surrogateescape")
            elif key == b"size":
                if not value.isdigit() or len(value) > 18:
                    raise BadArchive("the archive has an extended header with a size that cannot be read")
                overrides.size = int(value)


def _pax_records(text: bytes) -> list[tuple[bytes, bytes]]:
    records = []
    at = 0
    while at < len(text):
        match = _PAX_RECORD.match(text, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(text) or text[end - 1 : end] != b"\n":
            raise BadArchive("the archive has an extended header that cannot be read")
        records.append((match[2], text[match.end() : end - 1]))
        at = end
    return records
