import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.logs.frames import DamagedLog
from jobd.docker.logs.log_cursors import Position, PositionedLine, positions_after
from jobd.docker.logs.log_parser import LogReader
from jobd.docker.logs.stream_lines import LINE_BYTES
from jobd.jobs.port.model import StreamName
from tests.support.models.model_log import frame
from tests.unit.jobd.docker.logs.driver_log import CHUNK, entries_of, logs, read, stamp, wire


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


def test_a_new_time_within_a_line_loses_nothing() -> None:
    full = b"x" * CHUNK
    got = read(wire([("stdout", stamp(0), full), ("stdout", stamp(1), b"cd\n")]))
    assert [(line.text, line.partial) for line in got] == [(full.decode(), True), ("cd", False)]


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
