"""Bytes of a terminal's keyboard as keys. Pure and incremental.

A key is its printable ASCII character, or one of `up`, `down`, `enter`, `escape`. Other keys have no name and are ignored.

Source: ECMA-48, section 5.4; "XTerm Control Sequences", "PC-Style Function Keys".
"""

import re

ESCAPE = 0x1B
LONGEST_SEQUENCE = 32
"""The bytes of an unfinished sequence; longer ones are dropped."""
_SEQUENCE = re.compile(rb"\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|O[\x40-\x7e])")
_UNFINISHED = re.compile(rb"\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*|O)?")
_NAMES = {b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down"}


class KeyDecoder:
    """Finds keys in bytes that arrive in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def unfinished(self) -> bool:
        """True after the beginning of a sequence, which may also be the key `escape`."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Returns the keys that are complete."""
        data, keys, at = self._rest + data, [], 0
        self._rest = b""
        while at < len(data):
            if data[at] != ESCAPE:
                keys += _character(data[at])
                at += 1
            elif sequence := _SEQUENCE.match(data, at):
                keys += [_NAMES[sequence[0]]] if sequence[0] in _NAMES else []
                at = sequence.end()
            elif _UNFINISHED.fullmatch(data, at):
                self._rest = data[at:] if len(data) - at <= LONGEST_SEQUENCE else b""
                break
            else:
                keys.append("escape")
                at += 1
        return keys

    def flush(self) -> list[str]:
        """Returns `escape` if nothing but this key is left; drops an unfinished sequence."""
        rest, self._rest = self._rest, b""
        return ["escape"] if rest == b"\x1b" else []


def _character(byte: int) -> list[str]:
    if byte in b"\r\n":
        return ["enter"]
    return [chr(byte)] if 0x20 <= byte < 0x7F else []
