"""The log of a container with a terminal: entries without frames."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.logs.frames import DamagedLog
from jobd.docker.logs.log_cursors import positions_after
from jobd.docker.logs.log_parser import LogReader
from jobd.docker.logs.raw_entries import RawEntries
from jobd.docker.logs.stream_lines import PIECE_BYTES

TIME = b"2026-01-02T03:04:05.%09dZ "


def entries_of(lines: list[bytes], *, keeps_newline: bool) -> bytes:
    """Returns the log of these lines; `keeps_newline`: also after the last entry of a long line."""
    out = b""
    for number, line in enumerate(lines):
        text = line + b"\n"
        pieces = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
        if len(pieces) > 1 and not keeps_newline:
            pieces[-1] = pieces[-1][:-1]
        out += b"".join(TIME % number + piece for piece in pieces)
    return out


def texts(data: bytes, cuts: list[int]) -> list[str]:
    reader = LogReader({}, raw=True)
    got = []
    at = 0
    for cut in sorted(min(cut, len(data)) for cut in cuts):
        got += reader.feed(data[at:cut])
        at = cut
    got += reader.feed(data[at:]) + reader.feed_end() + reader.end()
    assert not reader.cut
    return [line.text for line in got]


SHORT = st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"").decode("ascii", "ignore").encode())
LONG = st.integers(PIECE_BYTES - 2, 2 * PIECE_BYTES + 3).map(lambda size: b"x" * size)


@given(
    st.lists(st.one_of(SHORT, SHORT, LONG), max_size=8),
    st.booleans(),
    st.lists(st.integers(0, 60_000), max_size=6),
)
def test_lines_are_found_in_any_pieces(lines: list[bytes], keeps_newline: bool, cuts: list[int]) -> None:
    data = entries_of(lines, keeps_newline=keeps_newline)
    assert texts(data, cuts) == [line.decode() for line in lines]


def test_a_last_line_without_a_newline_comes_with_the_end_of_the_log() -> None:
    reader = LogReader({}, raw=True)
    assert [line.text for line in reader.feed(TIME % 1 + b"one\r\n" + TIME % 2 + b"two")] == ["one\r"]
    assert reader.feed_end() == []
    (last,) = reader.end()
    assert (last.text, last.newline) == ("two", False)


def test_a_reader_resumes_after_the_line_that_was_read() -> None:
    data = entries_of([b"one", b"x" * 40_000, b"three"], keeps_newline=True)
    first = LogReader({}, raw=True).feed(data[: data.index(b"three")])[:1]
    reader = LogReader(positions_after({}, first), raw=True)
    rest = reader.feed(data) + reader.feed_end()
    assert [line.text for line in rest] == ["x" * 40_000, "three"]
    assert reader.located


@pytest.mark.parametrize("data", [b"x" * 100, b"no-blank"])
def test_what_is_no_log_is_refused(data: bytes) -> None:
    entries = RawEntries()
    with pytest.raises(DamagedLog):
        list(chain(entries.feed(data), entries.end()))
