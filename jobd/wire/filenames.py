r"""File names as text. On Linux a name is any bytes without NUL and `/`; JSON, events and reports carry UTF-8 text alone.

Owns the one escape that takes a name, or a path, to text and back without loss:

    each byte that is no part of valid UTF-8     \xHH, two lowercase hex digits, 80 to ff
    a backslash                                  \\
    everything else                              itself

Text in other forms is read leniently: a backslash that begins neither of the two stands for itself. No escape stands for `/`, `.` or NUL,
so a check on the parts of a path holds for its text and for its bytes alike.

Pure. Source: path_resolution(7), "The pathname" has no encoding; RFC 3629 for what valid UTF-8 is.
"""

import re

_ESCAPE = re.compile(r"\\(\\|x[89a-fA-F][0-9a-fA-F])")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_OF_BYTES, _LAST_OF_BYTES = 0xDC80, 0xDCFF
"""The code points that stand for single bytes in Python's `surrogateescape`."""


def escape(name: bytes) -> str:
    """Returns the text of a name or path: valid UTF-8, and the name itself where that is valid UTF-8 without a backslash."""
    return readable(name.decode("utf-8", "surrogateescape").replace("\\", "\\\\"))


def unescape(text: str) -> bytes:
    """Returns the name of a text: `unescape(escape(name)) == name` for every name.

    Raises:
        UnicodeEncodeError: the text holds an unpaired surrogate, which no name has.
    """
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        pieces.append(text[at : match.start()].encode())
        pieces.append(b"\\" if match[1] == "\\" else bytes((int(match[1][1:], 16),)))
        at = match.end()
    pieces.append(text[at:].encode())
    return b"".join(pieces)


def readable(text: str) -> str:
    """Returns text that UTF-8 can hold: what Python reads a stray byte as becomes the escape, any other unpaired surrogate U+FFFD."""
    return _LONE_SURROGATE.sub(_in_words, text)


def _in_words(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if _FIRST_OF_BYTES <= code <= _LAST_OF_BYTES else "\ufffd"
