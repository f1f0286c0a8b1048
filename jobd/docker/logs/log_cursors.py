"""How far a container's log has been read: the positions in both streams, and the stored cursor. Pure.

Owns the stored form, an object of one array a stream; older versions wrote only the first two elements.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

import msgspec

from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import LogCursor, RawLine, StreamName


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A position in one stream of a log: after `taken` bytes of what the stream holds under `timestamp`.

    Timestamps are compared for equality only, since the engine's clock may be set while a container runs. `check`: a CRC-32 of
    the bytes taken and of the timestamp before them, which tells this position from a similar one; None in cursors of older
    versions. `in_other_stream`: a later position in the other stream, up to which this stream has been read as well.
    An empty timestamp means the start of the log.
    """

    timestamp: str
    taken: int = 0
    check: int | None = None
    in_other_stream: "Position | None" = None


START = Position("")
Positions = Mapping[StreamName, Position]


@dataclass(frozen=True, slots=True)
class PositionedLine(RawLine):
    """A line with the position after it in its stream. `level`: the other stream has been read up to this position too."""

    position: Position = START
    level: bool = False


def positions_after(positions: Positions, lines: Iterable[PositionedLine]) -> dict[StreamName, Position]:
    """Returns the positions after `lines`, which were read from `positions` on."""
    own = dict(positions)
    in_other_stream = {stream: position.in_other_stream for stream, position in own.items()}
    for line in lines:
        own[line.stream], in_other_stream[line.stream] = line.position, line.position.in_other_stream
        if line.level:
            other: StreamName = "stderr" if line.stream == "stdout" else "stdout"
            in_other_stream[other] = line.position
            if other not in own:
                own[other] = Position(line.position.timestamp, 0, 0)  # the stream is empty so far
    return {
        stream: msgspec.structs.replace(position, in_other_stream=in_other_stream[stream])
        for stream, position in own.items()
    }


def encoded(positions: Positions) -> LogCursor:
    """Returns the stored form."""
    return LogCursor(_encoder.encode(positions))


def decoded(cursor: LogCursor) -> dict[StreamName, Position]:
    """Returns the positions in a stored cursor. Raises LogUnreadable: the cursor is from another engine's adapter."""
    try:
        found = _decoder.decode(cursor)
    except msgspec.DecodeError as error:
        raise LogUnreadable(f"cannot read the stored log cursor: {error}") from error
    return {stream: found[stream] for stream in get_args(StreamName) if stream in found}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Position])
