"""The modes that a job's output sets in a terminal: cursor, alternate screen, mouse, pasting. Pure.

Whoever leaves the terminal before the job resets them: a person would else find a hidden cursor, or type mouse reports.

Source: "XTerm Control Sequences", DEC private modes.
"""

import re

_SETTING = re.compile(rb"\x1b\[\?([0-9;]{1,32})([hl])")
_ON_AT_FIRST = frozenset({7, 25})
"""Wrapping, and the cursor."""
_RESET = frozenset({1, 7, 9, 25, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004})
_LONGEST = 40


class Modes:
    """Follows the output in pieces of any size."""

    def __init__(self) -> None:
        self._end = b""
        self._changed: set[int] = set()

    def follow(self, data: bytes) -> None:
        """Notes the modes that these bytes set."""
        if b"\x1b" not in data and not self._end:
            return
        text = self._end + data
        last = 0
        for match in _SETTING.finditer(text):
            last = match.end()
            for number in match[1].split(b";"):
                if number and int(number) in _RESET:
                    mode = int(number)
                    differs = (match[2] == b"h") != (mode in _ON_AT_FIRST)
                    (self._changed.add if differs else self._changed.discard)(mode)
        start = text.rfind(b"\x1b", max(last, len(text) - _LONGEST))
        self._end = text[start:] if start >= 0 else b""

    def resets(self) -> bytes:
        """Returns the sequences that bring the modes back."""
        return b"".join(
            b"\x1b[?%d%c" % (mode, b"h" if mode in _ON_AT_FIRST else b"l") for mode in sorted(self._changed)
        )
