import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.logs import stream_lines
from jobd.docker.logs.log_cursors import PositionedLine, positions_after
from jobd.docker.logs.log_parser import LogReader
from jobd.jobs.port.model import StreamName
from tests.unit.jobd.docker.logs.driver_log import (
    CHUNK,
    PIECE,
    Entry,
    read,
    stamp,
    streams,
    wire,
)


@given(
    st.lists(st.tuples(streams, st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")))),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_every_byte_and_newline_is_read_whatever_the_driver_omits(
    lines: list[tuple[StreamName, bytes]], ended: bool, leaves_out: bool, data: st.DataObject
) -> None:
    """Any cut of the bytes and any restart; only the last line of a stream may have an unknown newline."""
    last = {stream: number for number, (stream, _) in enumerate(lines)}
    printed: dict[StreamName, bytes] = {"stdout": b"", "stderr": b""}
    entries: list[Entry] = []
    for number, (stream, text) in enumerate(lines):
        newline = ended or last[stream] != number
        printed[stream] += text + b"\n" * newline
        entries += stored(stream, stamp(number), text, newline, leaves_out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_lines, "PIECE_BYTES", PIECE)
        patch.setattr(stream_lines, "LINE_BYTES", data.draw(st.integers(PIECE, 3 * PIECE)))
        sent = wire(entries)
        first = read(sent[: data.draw(st.integers(0, len(sent)))], end=False)
        first = first[: data.draw(st.integers(0, len(first)))]
        got = first + read(sent, positions_after({}, first))
    for stream in last:
        mine = [line for line in got if line.stream == stream]
        assert all(line.newline is True for line in mine[:-1])
        found = b"".join(bytes_of(line) for line in mine)
        if mine and mine[-1].newline is None:
            assert leaves_out or not ended
            assert printed[stream].removesuffix(b"\n") == found
        else:
            assert printed[stream] == found


def stored(stream: StreamName, time: str, text: bytes, newline: bool, leaves_out: bool) -> list[Entry]:
    """A line as the engine stores it: full entries, and an entry for a rest or a newline."""
    full = len(text) // PIECE * PIECE
    entries: list[Entry] = [(stream, time, text[at : at + PIECE]) for at in range(0, full, PIECE)]
    rest = text[full:]
    if newline:
        entries.append((stream, time, rest + b"\n" * (not full or not leaves_out)))
    elif rest:
        entries.append((stream, time, rest))
    return entries


def bytes_of(line: PositionedLine) -> bytes:
    said = line.text.encode() if line.raw is None else line.raw
    return said + b"\n" * (line.newline is True and not line.partial)


def test_an_omitted_newline_entry_ends_the_line() -> None:
    reader = LogReader({})
    assert reader.feed(wire([("stdout", stamp(0), b"x" * CHUNK)])) == []
    (line,) = reader.feed(wire([("stdout", stamp(0), b"")]))
    assert (len(line.text), line.partial, line.newline) == (CHUNK, False, True)


def test_an_omitted_newline_is_read_while_the_other_streams_position_is_searched() -> None:
    (known,) = read(wire([("stderr", stamp(1), b"a\n")]))
    entries: list[Entry] = [
        ("stdout", stamp(0), b"x" * CHUNK),
        ("stdout", stamp(0), b""),
        ("stderr", stamp(1), b"a\n"),
        ("stdout", stamp(2), b"b\n"),
    ]
    got = read(wire(entries), {"stderr": known.position})
    assert [(len(line.text), line.partial, line.newline) for line in got] == [
        (CHUNK, False, True),
        (1, False, True),
    ]


def test_a_last_line_of_several_entries_may_have_had_a_newline() -> None:
    short, full = b"end", b"x" * CHUNK
    for pieces, newline in (([short], False), ([full], False), ([full, full], False), ([full, short], None)):
        got = read(wire([("stdout", stamp(0), piece) for piece in pieces]))
        assert [line.newline for line in got] == [newline]
