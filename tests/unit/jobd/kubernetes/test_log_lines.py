"""The log stream as lines: however the bytes are cut, the same lines come out, bounded in length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.errors import LogUnreadable
from jobd.jobs.port.model import RawLine
from jobd.kubernetes.logs.cursor import Position
from jobd.kubernetes.logs.lines import GAP, PIECE, Lines

TIME = "2030-01-01T00:00:0{}.00000000{}Z"


def stamped(texts: list[bytes]) -> bytes:
    return b"".join(
        TIME.format(n // 10 % 10, n % 10).encode() + b" " + text + b"\n" for n, text in enumerate(texts)
    )


def read(data: bytes, cuts: list[int], start: Position | None = None) -> tuple[list[RawLine], Position]:
    lines, begin = Lines(start or Position()), 0
    found: list[RawLine] = []
    for cut in [*sorted(cuts), len(data)]:
        found += lines.feed(data[begin:cut])
        begin = max(begin, min(cut, len(data)))
    found += lines.end()
    return found, lines.position


TEXTS = st.lists(st.binary(max_size=20).filter(lambda text: b"\n" not in text), max_size=8)


@given(TEXTS, st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_lines_are_the_same_wherever_the_bytes_are_cut(
    texts: list[bytes], cuts: list[int], ends: bool
) -> None:
    data = stamped(texts)
    if texts and not ends:
        data = data[:-1]
    found, _ = read(data, [min(cut, len(data)) for cut in cuts])
    assert [line.raw if line.raw is not None else line.text.encode() for line in found] == texts
    assert all(line.newline for line in found[:-1])
    if found:
        assert bool(found[-1].newline) is ends
    assert not any(line.gap or line.partial for line in found)


@given(
    st.integers(0, 3 * PIECE),
    st.lists(st.integers(0, 3 * PIECE), max_size=3),
    st.sampled_from(["x", "é", "€", "😀"]),
)
def test_a_long_line_comes_in_pieces_that_cut_no_character(size: int, cuts: list[int], letter: str) -> None:
    text = (letter * (size // len(letter.encode()))).encode()
    data = stamped([text, b"next"])
    found, _ = read(data, [min(cut, len(data)) for cut in cuts])
    assert all(len(line.text.encode()) <= PIECE for line in found)
    assert all(line.raw is None for line in found)
    whole = "".join(line.text for line in found[:-1])
    assert whole.encode() == text
    assert [line.partial for line in found[-2:]] == [False, False]


def test_reading_goes_on_inside_a_long_line() -> None:
    text = b"a" * PIECE + b"b" * PIECE + b"c"
    data = stamped([b"first", text])
    lines = Lines(Position())
    found = list(lines.feed(data[: PIECE + 200]))
    assert [line.partial for line in found] == [False, True]
    again, _ = read(data, [], lines.position)
    assert "".join(line.text for line in [*found[1:], *again]).encode() == text


def test_lines_that_a_rotation_has_taken_leave_a_mark() -> None:
    data = stamped([b"0", b"1", b"2", b"3"])
    _, position = read(data[: 2 * len(data) // 4], [])
    found, _ = read(data[3 * len(data) // 4 :], [], position)
    assert [(line.text, line.gap) for line in found] == [("3", GAP)]


@pytest.mark.parametrize("data", [b"unable to retrieve container logs\n", b"no newline", b"2030 x\n"])
def test_what_is_no_log_is_not_taken_for_lines(data: bytes) -> None:
    with pytest.raises(LogUnreadable):
        read(data, [])
