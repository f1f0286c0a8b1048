"""The stored form of a log line and its form on the wire, which are one but for lines of other bytes than text.

Pure. Such a line is stored as its bytes alone, in base64, since JSON makes up to six times as much of them as text; `line` is made of
the bytes when it is sent. A stored form of older versions, with both, is read as well.
"""

from collections.abc import Iterator

import msgspec

from jobd.wire.view import LogLine

PART_BYTES = 64 << 10
_RAW = b'"raw":'
"""Stands in no JSON text: a quotation mark within one follows a backslash."""
_SHORT_BYTES = 512

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LogLine)


def stored(frame: LogLine) -> bytes:
    """Returns the stored form, without a newline."""
    raw = frame.raw
    encoded = b"" if raw else _encoder.encode(frame)
    if raw is None and len(encoded) > _SHORT_BYTES + 2 * len(frame.line):
        said = frame.line.encode()  # text as well where JSON has to escape much of it
        raw = said if len(encoded) > len(said) * 4 // 3 + _SHORT_BYTES else None
    if raw is None:
        return encoded
    return _encoder.encode(msgspec.structs.replace(frame, line="", raw=raw))


def decoded(frame: bytes) -> LogLine:
    """Returns the line of a stored form. Raises: msgspec.DecodeError."""
    line = _decoder.decode(frame)
    if not line.raw:
        return line
    try:
        return msgspec.structs.replace(line, line=line.raw.decode(), raw=None)
    except UnicodeDecodeError:
        return msgspec.structs.replace(line, line=line.raw.decode("utf-8", "replace"))


def on_wire(frames: bytes) -> Iterator[bytes]:
    """Yields stored frames, each with its newline, as they are sent, in parts as `parts` makes them."""
    if _RAW not in frames:
        yield from parts(frames)
        return
    made: list[bytes] = []
    size = 0
    for frame in frames.splitlines(keepends=True):
        if _RAW in frame:
            frame = _encoder.encode(decoded(frame)) + b"\n"
        made.append(frame)
        size += len(frame)
        if size >= PART_BYTES:
            joined = b"".join(made)
            whole = size - size % PART_BYTES
            yield from parts(joined[:whole])
            made, size = [joined[whole:]], size - whole
    yield from parts(b"".join(made))


def parts(data: bytes) -> Iterator[bytes]:
    """Cuts what is sent into parts of 64 KiB, so that a client that reads slowly is seen to read."""
    return (data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES))
