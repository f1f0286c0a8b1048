r"""File names as text. On Linux a name is any bytes without NUL and `/`; JSON, events and reports contain only UTF-8 text.

Owns the escape that converts a name, or a path, to text and back without loss:

    a byte that is no part of valid UTF-8     \xHH, two lowercase hex digits, 80 to ff
    a backslash                               \\
    any other character                       unchanged

A backslash before any other character means itself. No escape means `/`, `.` or NUL, so a check of a path's text also holds for
its bytes.

Pure. Source: path_resolution(7); RFC 3629 (UTF-8).
"""

import re

# Compiled on first use: few names need them, and the sidecar's start delays each job with artifacts.
_ESCAPE = r"\\(\\|x[89a-fA-F][0-9a-fA-F])"
_LONE_SURROGATE = "[\ud800-\udfff]"
_FIRST_OF_BYTES, _LAST_OF_BYTES = 0xDC80, 0xDCFF
"""The code points of single bytes in Python's `surrogateescape`."""


def escape(name: bytes) -> str:
    """Returns the text of a name or path, which is unchanged where it is valid UTF-8 without a backslash."""
    return readable(name.decode("utf-8", "surrogateescape").replace("\\", "\\\\"))


def unescape(text: str) -> bytes:
    """Returns the name of a text: `unescape(escape(name)) == name` for every name.

    Raises:
        UnicodeEncodeError: the text contains an unpaired surrogate.
    """
    if "\\" not in text:
        return text.encode()
    pieces: list[bytes] = []
    at = 0
    for match in re.finditer(_ESCAPE, text):
        pieces.append(text[at : match.start()].encode())
        pieces.append(b"\\" if match[1] == "\\" else bytes((int(match[1][1:], 16),)))
        at = match.end()
    pieces.append(text[at:].encode())
    return b"".join(pieces)


def readable(text: str) -> str:
    """Returns text that UTF-8 can encode: a surrogate of `surrogateescape` becomes the escape of its byte, any other one U+FFFD."""
    return text if text.isascii() else re.sub(_LONE_SURROGATE, _replacement, text)


def _replacement(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if _FIRST_OF_BYTES <= code <= _LAST_OF_BYTES else "\ufffd"
