"""Checks that a streamed tar is complete: each member begins with a header, and two zero blocks end the archive.

Pure. Holds one header at a time, never a file. If a file shrinks while the engine reads it, the engine cuts the tar and completes
its answer normally: only the tar itself shows the cut.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format" (base-256 numbers).
"""

import re

_BLOCK = 512
_END = bytes(_BLOCK)
_NO_CONTENT = frozenset(b"123456")
"""Links, devices, folders and FIFOs: no content follows, whatever size the header has."""
_EXTENDED = ord("x")
_MOST_EXTENDED_BYTES = 1 << 20
_SIZE = re.compile(rb"(?:^|\n)[0-9]+ size=([0-9]{1,19})\n")


class DamagedTar(Exception):
    """The data is a cut tar or no tar."""


class TarCheck:
    """Checks a tar that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        """Remaining bytes of the member's content and padding."""
        self._extended: bytearray | None = None
        """The incomplete extended header; an extended header may hold the next member's size."""
        self._extended_size = 0
        self._next_size: int | None = None
        self._zero_blocks = 0

    def feed(self, data: bytes) -> None:
        """Checks the next piece. Raises DamagedTar."""
        at = 0
        while at < len(data):
            if self._left:
                part = min(self._left, len(data) - at)
                if self._extended is not None:
                    self._extended += data[at : at + part]
                self._left -= part
                at += part
                if not self._left:
                    self._end_of_content()
                continue
            part = min(_BLOCK - len(self._header), len(data) - at)
            self._header += data[at : at + part]
            at += part
            if len(self._header) == _BLOCK:
                self._block(bytes(self._header))
                self._header.clear()

    def end(self) -> None:
        """Checks the end of the data. Raises DamagedTar: the tar is incomplete."""
        if self._left or self._header:
            raise DamagedTar("the tar is cut within a member")
        if self._zero_blocks < 2:
            raise DamagedTar("the tar has no end marker")

    def _block(self, block: bytes) -> None:
        if block == _END:
            self._zero_blocks += 1
            return
        if self._zero_blocks:
            # Programs differ in how they read data after a single zero block.
            raise DamagedTar("the tar has data after its end marker")
        if _number(block[148:156]) not in _sums(block):
            raise DamagedTar("the tar has an invalid header")
        size, kind = _number(block[124:136]), block[156]
        if kind == _EXTENDED:
            if size > _MOST_EXTENDED_BYTES:
                raise DamagedTar("the tar has an extended header of more than 1 MiB")
            self._extended, self._extended_size = bytearray(), size
        elif kind in b"gLK":
            pass  # a global header or a long name does not change the next member's size
        else:
            if self._next_size is not None:
                size = self._next_size
            self._next_size = None
            if kind in _NO_CONTENT:
                size = 0
        self._left = -(-size // _BLOCK) * _BLOCK
        if not self._left:
            self._end_of_content()

    def _end_of_content(self) -> None:
        if self._extended is None:
            return
        found = _SIZE.findall(bytes(self._extended[: self._extended_size]))
        if found:
            self._next_size = int(found[-1])
        self._extended = None


def _number(field: bytes) -> int:
    """Returns the number in a header's field: octal text, or base-256 if the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise DamagedTar("the tar has an invalid header") from None


def _sums(block: bytes) -> tuple[int, int]:
    """Returns a header's valid checksums: over unsigned bytes and, for some old archives, signed bytes."""
    others = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(others)
    return unsigned, unsigned - 256 * sum(byte >> 7 for byte in others)
