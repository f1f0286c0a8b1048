"""Whether a tar that flows by is whole: headers where headers must be, and two zero blocks at a member's end.

Pure. Holds one header at a time, never a file. An engine whose files change while it reads them ends its tar where it is, and ends its
answer in order: only the tar itself tells that something is missing.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format" (base-256 numbers).
"""

import re

_BLOCK = 512
_END = bytes(_BLOCK)
_NO_CONTENT = frozenset(b"123456")
"""Links, devices, folders and FIFOs: whatever their header says of a size, nothing follows it."""
_EXTENDED = ord("x")
_MOST_EXTENDED_BYTES = 1 << 20
_SIZE = re.compile(rb"(?:^|\n)[0-9]+ size=([0-9]{1,19})\n")


class DamagedTar(Exception):
    """The tar is cut or is none."""


class TarCheck:
    """Is fed what passes by, in pieces of any size."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        """Bytes of the member's content, with its padding, that are still to come."""
        self._extended: bytearray | None = None
        """The extended header that is under way; it may say how large the member after it is."""
        self._extended_size = 0
        self._next_size: int | None = None
        self._zero_blocks = 0

    def feed(self, data: bytes) -> None:
        """Takes the next piece. Raises DamagedTar: no tar goes on like this."""
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
        """Call when nothing more comes. Raises DamagedTar: it did not end as a tar does."""
        if self._left or self._header:
            raise DamagedTar("the tar is cut within a member")
        if self._zero_blocks < 2:
            raise DamagedTar("the tar has no end")

    def _block(self, block: bytes) -> None:
        if block == _END:
            self._zero_blocks += 1
            return
        if self._zero_blocks:
            # One zero block alone ends nothing; what follows it is refused by other programs or passed over by them.
            raise DamagedTar("the tar goes on after its end")
        if _number(block[148:156]) not in _sums(block):
            raise DamagedTar("the tar has no header where one should be")
        size, kind = _number(block[124:136]), block[156]
        if kind == _EXTENDED:
            if size > _MOST_EXTENDED_BYTES:
                raise DamagedTar("the tar has an extended header of more than 1 MiB")
            self._extended, self._extended_size = bytearray(), size
        elif kind in b"gLK":
            pass  # of the whole archive, or a long name: the size of the member after it stays what it is
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
    """Returns the number in a header's field: octal text, or base-256 where its first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise DamagedTar("the tar has no header where one should be") from None


def _sums(block: bytes) -> tuple[int, int]:
    """Returns what a header's checksum may be: of its bytes without and, in some old archives, with a sign."""
    others = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(others)
    return unsigned, unsigned - 256 * sum(byte >> 7 for byte in others)
