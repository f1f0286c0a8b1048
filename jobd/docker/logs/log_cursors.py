"""How far a container's log has been read: the places of both streams, after each line and as `jobs` stores them. Pure.

Owns the stored form, an object of one array a stream; older versions wrote the first two elements alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

import msgspec

from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import LogCursor, RawLine, StreamName


class Place(msgspec.Struct, frozen=True, array_like=True):
    """How far one stream of a log has been read: `taken` bytes of what the stream holds under `timestamp`.

    A timestamp is compared for equality alone, since the engine's clock may be set while a container runs. `check`: a CRC-32 of
    the bytes taken and of the timestamp before them, which tells this place from a similar one; None in cursors of older
    versions. `beside`: a later place, in the other stream, up to which this stream has been read as well.
    An empty timestamp stands for the start of the log.
    """

    timestamp: str
    taken: int = 0
    check: int | None = None
    beside: "Place | None" = None


START = Place("")
Places = Mapping[StreamName, Place]


@dataclass(frozen=True, slots=True)
class PlacedLine(RawLine):
    """A line and where it is. `place` stands after this line in its stream. `level`: everything that the other stream holds before
    this place is read too.
    """

    place: Place = START
    level: bool = False


def places_after(places: Places, lines: Iterable[PlacedLine]) -> dict[StreamName, Place]:
    """Returns where reading goes on after `lines`, which were read from `places` on."""
    own = dict(places)
    beside = {stream: place.beside for stream, place in own.items()}
    for line in lines:
        own[line.stream], beside[line.stream] = line.place, line.place.beside
        if line.level:
            other: StreamName = "stderr" if line.stream == "stdout" else "stdout"
            beside[other] = line.place
            if other not in own:
                own[other] = Place(line.place.timestamp, 0, 0)  # the stream has printed nothing
    return {stream: msgspec.structs.replace(place, beside=beside[stream]) for stream, place in own.items()}


def encoded(places: Places) -> LogCursor:
    """Returns the stored form."""
    return LogCursor(_encoder.encode(places))


def decoded(cursor: LogCursor) -> dict[StreamName, Place]:
    """Returns the places of a stored cursor. Raises LogUnreadable: another engine's adapter has written it."""
    try:
        found = _decoder.decode(cursor)
    except msgspec.DecodeError as error:
        raise LogUnreadable(f"the stored place in the log cannot be read: {error}") from error
    return {stream: found[stream] for stream in get_args(StreamName) if stream in found}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Place])
