"""The stored form of a log line, and its form on the wire. Both are one JSON object, except for lines whose bytes are no text.

Pure. Such a line is stored as base64 of its bytes alone, since JSON text of the bytes takes up to six times the space; `line` is
derived from the bytes when the line is sent. Older versions stored both; that form is decoded too.
"""

from collections.abc import Iterator

import msgspec

from jobd.wire.views.log import LogLine

PART_BYTES = 64 << 10
_RAW = b'"raw":'
"""Occurs in no JSON string: a quotation mark within a string follows a backslash."""
_SHORT_BYTES = 512

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LogLine)


def encode_frame(frame: LogLine) -> bytes:
    """Returns the stored form, without a newline."""
    raw = frame.raw
    encoded = b"" if raw else _encoder.encode(frame)
    if raw is None and len(encoded) > _SHORT_BYTES + 2 * len(frame.line):
        text = frame.line.encode()  # text too is stored as bytes if JSON escapes much of it
        raw = text if len(encoded) > len(text) * 4 // 3 + _SHORT_BYTES else None
    if raw is None:
        return encoded
    return _encoder.encode(msgspec.structs.replace(frame, line="", raw=raw))


def decode_frame(frame: bytes) -> LogLine:
    """Returns the line of a stored form. Raises: msgspec.DecodeError."""
    line = _decoder.decode(frame)
    if not line.raw:
        return line
    try:
        return msgspec.structs.replace(line, line=line.raw.decode(), raw=None)
    except UnicodeDecodeError:
        return msgspec.structs.replace(line, line=line.raw.decode("utf-8", "replace"))


def wire_parts(frames: bytes) -> Iterator[bytes]:
    """Yields stored frames in their wire form, each with its newline, in the parts that `split` makes."""
    if _RAW not in frames:
        yield from split(frames)
        return
    parts: list[bytes] = []
    size = 0
    for frame in frames.splitlines(keepends=True):
        if _RAW in frame:
            frame = _encoder.encode(decode_frame(frame)) + b"\n"
        parts.append(frame)
        size += len(frame)
        if size >= PART_BYTES:
            joined = b"".join(parts)
            whole = size - size % PART_BYTES
            yield from split(joined[:whole])
            parts, size = [joined[whole:]], size - whole
    yield from split(b"".join(parts))


def split(data: bytes) -> Iterator[bytes]:
    """Yields `data` in parts of 64 KiB, so that the server sees progress of a client that reads slowly."""
    return (data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES))
