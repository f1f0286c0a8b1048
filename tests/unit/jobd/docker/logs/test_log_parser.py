from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.logs import stream_lines
from jobd.docker.logs.frames import DamagedLog
from jobd.docker.logs.log_cursors import Position, PositionedLine, positions_after
from jobd.docker.logs.log_parser import LogReader
from jobd.docker.logs.log_positions import Missing
from jobd.docker.logs.stream_lines import GAP, LINE_BYTES
from jobd.jobs.port.model import StreamName
from tests.support.model_log import frame

CHUNK = 16 * 1024
PIECE = 8
Entry = tuple[StreamName, str, bytes]


def stamp(number: int) -> str:
    return f"2026-01-02T03:04:{number // 1000:02d}.{number % 1000:03d}000001Z"


def entries_of(lines: list[tuple[StreamName, bytes]], chunk: int = CHUNK) -> list[Entry]:
    """The engine's stored log: each line with its own timestamp, in pieces of at most `chunk` bytes."""
    out: list[Entry] = []
    for number, (stream, text) in enumerate(lines):
        pieces = [text[at : at + chunk] for at in range(0, len(text), chunk)] or [b""]
        out += [(stream, stamp(number), piece) for piece in pieces if piece]
    return out


def wire(entries: list[Entry]) -> bytes:
    """The engine's answer."""
    return b"".join(frame(*entry) for entry in entries)


def read(
    data: bytes, cursors: Mapping[StreamName, Position] | None = None, end: bool = True
) -> list[PositionedLine]:
    reader = LogReader(cursors or {})
    return reader.feed(data) + (reader.end() if end else [])


streams = st.sampled_from(["stdout", "stderr"])
texts = st.binary(max_size=80).map(lambda raw: raw.replace(b"\n", b"")) | st.sampled_from(
    [b"", b"x" * 63, "é".encode() * 40, b"\xff" * 5]
)
logs = st.lists(st.tuples(streams, texts.map(lambda text: text + b"\n")), max_size=12)


@given(logs, st.lists(st.integers(0, 2000), max_size=10), st.integers(1, 40))
def test_any_cutting_of_the_bytes_gives_the_same_lines(
    lines: list[tuple[StreamName, bytes]], cuts: list[int], chunk: int
) -> None:
    data = wire(entries_of(lines, chunk))
    reader = LogReader({})
    got: list[PositionedLine] = []
    at = 0
    for cut in sorted(min(cut, len(data)) for cut in cuts):
        got += reader.feed(data[at:cut])
        at = cut
    got += reader.feed(data[at:]) + reader.end()
    assert got == read(data)
    assert not reader.cut
    assert [(line.stream, line.text) for line in got] == [
        (stream, text[:-1].decode("utf-8", "replace")) for stream, text in lines
    ]


@given(logs, st.booleans(), st.data())
def test_reading_in_two_parts_gives_the_same_lines(
    lines: list[tuple[StreamName, bytes]], unterminated: bool, data: st.DataObject
) -> None:
    if unterminated and lines:
        stream, text = lines[-1]
        lines = [*lines[:-1], (stream, text[:-1])]
    entries = entries_of(lines, 30)
    whole = read(wire(entries))
    # The connection breaks anywhere; the next reader resumes from the last line of each stream.
    sent = wire(entries)
    first = read(sent[: data.draw(st.integers(0, len(sent)))], end=False)
    first = first[: data.draw(st.integers(0, len(first)))]
    second = read(wire(entries), positions_after({}, first))
    assert [(line.stream, line.text, line.position) for line in first + second] == [
        (line.stream, line.text, line.position) for line in whole
    ]
    assert all(line.gap is None for line in second)


@given(st.integers(0, 5), st.integers(1, 3 * LINE_BYTES + 10), st.booleans(), st.integers(0, 6))
def test_a_long_line_is_cut_and_resumed_without_loss(before: int, size: int, ended: bool, taken: int) -> None:
    text = bytes(97 + number % 26 for number in range(size))
    lines: list[tuple[StreamName, bytes]] = [("stdout", b"short\n")] * before
    entries = entries_of([*lines, ("stdout", text + (b"\n" if ended else b""))])
    whole = read(wire(entries))
    assert "".join(line.text for line in whole[before:]) == text.decode()
    assert all(len(line.text) == LINE_BYTES for line in whole[before:] if line.partial)
    assert not whole[-1].partial
    kept = whole[: min(taken, len(whole))]
    assert kept + read(wire(entries), positions_after({}, kept)) == whole


def test_a_cut_falls_between_characters() -> None:
    text = b"x" + "é".encode() * LINE_BYTES
    got = read(wire(entries_of([("stdout", text + b"\n")], 10**9)))
    assert "".join(line.text for line in got) == text.decode()
    assert all("�" not in line.text for line in got)


def test_bytes_that_are_no_text_are_replaced_in_the_text_and_kept() -> None:
    (line,) = read(wire([("stderr", stamp(0), b"\xff\xfe\0a\n")]))
    assert (line.text, line.raw) == ("��\0a", b"\xff\xfe\0a")


def test_the_last_line_without_newline_comes_only_at_the_end() -> None:
    data = wire([("stdout", stamp(0), b"a\n"), ("stdout", stamp(1), b"b")])
    reader = LogReader({})
    assert [line.text for line in reader.feed(data)] == ["a"]
    assert [line.text for line in reader.end()] == ["b"]


def test_two_unterminated_streams_end_in_the_order_of_their_times() -> None:
    got = read(wire([("stderr", stamp(0), b"e"), ("stdout", stamp(1), b"o")]))
    assert [(line.stream, line.text) for line in got] == [("stderr", "e"), ("stdout", "o")]


def test_lines_that_share_a_time_are_told_apart_by_the_bytes_taken() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(0), b"a\n"),
        ("stdout", stamp(0), b"a\n"),
        ("stdout", stamp(0), b"b\n"),
    ]
    whole = read(wire(entries))
    assert [line.position.taken for line in whole] == [2, 4, 6]
    assert [line.text for line in read(wire(entries), {"stdout": whole[1].position})] == ["b"]


def test_a_new_time_within_a_line_loses_nothing() -> None:
    full = b"x" * CHUNK
    got = read(wire([("stdout", stamp(0), full), ("stdout", stamp(1), b"cd\n")]))
    assert [(line.text, line.partial) for line in got] == [(full.decode(), True), ("cd", False)]


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


def test_a_position_is_identified_by_its_text_and_not_by_its_time_alone() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(1), b"a\n"),
        ("stdout", stamp(0), b"b\n"),
        ("stdout", stamp(1), b"c\n"),
        ("stdout", stamp(2), b"d\n"),
    ]
    whole = read(wire(entries))
    for at in range(len(whole) + 1):
        assert read(wire(entries), positions_after({}, whole[:at])) == whole[at:]


def test_a_position_in_a_run_without_its_beginning_is_not_confused_with_another() -> None:
    long: Entry = ("stdout", stamp(1), b"x" * LINE_BYTES)
    entries: list[Entry] = [("stdout", stamp(0), b"first\n"), long, long, long, long]
    first, cut, *_ = read(wire(entries))
    assert cut.partial
    reader = LogReader(positions_after({}, [first, cut]))
    assert reader.feed(wire(entries[2:])) == []
    assert not reader.located


def test_a_cursor_of_an_older_version_is_found_by_time_and_count() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"c\n"), ("stderr", b"d\n")])
    cursors: dict[StreamName, Position] = {
        "stdout": Position(stamp(0), 2),
        "stderr": Position(stamp(1), 2),
    }
    assert [line.text for line in read(wire(entries), cursors)] == ["c", "d"]


def test_lines_that_rotated_away_leave_a_mark() -> None:
    entries = entries_of([("stdout", b"%d\n" % number) for number in range(5)])
    cursor = read(wire(entries))[0].position
    left = wire(entries[3:])
    reader = LogReader({"stdout": cursor})
    assert reader.feed(left) == []
    assert reader.missing == {"stdout": Missing.GONE}
    got = LogReader({"stdout": cursor}, reader.missing).feed(left)
    assert [(line.text, line.gap) for line in got] == [("3", GAP), ("4", None)]


def test_a_stream_read_up_to_the_others_position_survives_the_loss_of_its_own_last_line() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"c\n"), ("stderr", b"d\n")])
    got = read(wire(entries[1:]), positions_after({}, read(wire(entries))[:2]))
    assert [(line.text, line.gap) for line in got] == [("c", None), ("d", None)]


def test_an_unfinished_line_keeps_its_stream_behind_the_other() -> None:
    entries: list[Entry] = [
        ("stdout", stamp(0), b"half"),
        ("stderr", stamp(1), b"e\n"),
        ("stdout", stamp(0), b" done\n"),
    ]
    (first,) = LogReader({}).feed(wire(entries[:2]))
    assert (first.text, first.level) == ("e", False)
    assert [line.text for line in read(wire(entries), positions_after({}, [first]))] == ["half done"]


def test_a_stream_that_was_silent_so_far_is_read_from_its_start() -> None:
    entries = entries_of([("stdout", b"a\n"), ("stderr", b"late\n"), ("stdout", b"b\n")])
    got = read(wire(entries), {"stdout": Position(stamp(2), 2)})
    assert [(line.stream, line.text) for line in got] == [("stderr", "late")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x07\0\0\0\0\0\0\0",
        b"plain text log",
        b"\x01\0\0\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0\0\0\x03abc",
        b"\x03\0\0\0\0\0\0\x04boom",
    ],
)
def test_what_is_no_log_stream_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedLog):
        LogReader({}).feed(data)


def test_a_cut_frame_is_noticed() -> None:
    reader = LogReader({})
    reader.feed(wire([("stdout", stamp(0), b"abc\n")])[:-1])
    assert reader.cut


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except DamagedLog:
        pass


def test_what_a_reader_holds_of_a_log_is_bounded() -> None:
    """At most one frame of 4 MiB, one line of 64 KiB a stream, and a timestamp of 64 bytes."""
    reader = LogReader({})
    for number in range(40):
        for stream in ("stdout", "stderr"):
            data = frame(stream, stamp(0), b"x" * CHUNK)
            reader.feed(data[:100])
            reader.feed(data[100:])
        assert len(reader._frames._rest) == 0
        assert max(len(lines._text) for lines in reader._lines.values()) <= LINE_BYTES, number
    with pytest.raises(DamagedLog, match="invalid frame"):
        reader.feed(b"\x01\0\0\0" + (4 * 1024 * 1024 + 1).to_bytes(4, "big"))
    with pytest.raises(DamagedLog, match="no timestamp"):
        LogReader({"stdout": Position(stamp(0), 1)}).feed(frame("stdout", "9" * 65, b"x"))
