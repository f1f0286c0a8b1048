"""What a terminal is given of a job's text: never a control sequence other than colour, however the text is cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobctl.output.terminal import (
    LONGEST_COLOUR,
    LONGEST_SEQUENCE,
    LONGEST_STYLE,
    RESET,
    ByteFilter,
    TerminalFilter,
    filtered,
)

ALLOWED = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f]|[\t\n\r]|\x1b\[[0-9;:]*m)*")
FRAGMENTS = (
    "\x1b", "\x1b[", "\x1b]", "\x1b]0;title\x07", "\x1b]52;c;ZWNobw==\x1b\\", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1bk", "\x1b\\",
    "\x9b", "\x9d", "\x90", "\x9c", "\x98", "\x9e", "\x9f", "\x85", "\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[38:2::1:2:3m", "\x1b[>4;2m",
    "\x1b[2J", "\x1b[1A", "\x1b[?25l", "\x1b(B", "\x1bc", "\x1b#8", "\r", "\n", "\t", "\b", "\a", "\x18", "\x1a", "\x7f", "\0", ";", "1", "m", "é",
    "漢", "text",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=30).map("".join)


def run(pieces: list[str], row_start: str = "") -> str:
    one = TerminalFilter()
    one.row_start = row_start
    return "".join(map(one.feed, pieces))


@settings(max_examples=40)
@given(texts, st.lists(st.integers(0, 200), max_size=8), st.sampled_from(["", "web-1 | "]))
def test_the_result_is_the_same_however_the_text_is_cut(text: str, at: list[int], row_start: str) -> None:
    cuts = [0, *sorted(min(each, len(text)) for each in at), len(text)]
    pieces = [text[a:b] for a, b in pairwise(cuts)]
    assert run(pieces, row_start) == run([text], row_start) == run(list(text), row_start)


raw_texts = st.lists(
    st.one_of(st.sampled_from([fragment.encode() for fragment in FRAGMENTS]), st.binary(max_size=4)),
    max_size=30,
).map(b"".join)


@settings(max_examples=60)
@given(raw_texts, st.lists(st.integers(0, 200), max_size=8))
@example(b"a\x1b[3" + "1mé漢".encode(), [4, 8, 9, 11])
@example(b"\xc2\x9b2J\xe2\x82", [1, 5, 6])
def test_split_sequences_and_characters_give_the_same_bytes(raw: bytes, at: list[int]) -> None:
    cuts = [0, *sorted(min(each, len(raw)) for each in at), len(raw)]
    whole, pieces, single = (ByteFilter(TerminalFilter()) for _ in range(3))
    out = whole.feed(raw)
    assert b"".join(pieces.feed(raw[a:b]) for a, b in pairwise(cuts)) == out
    assert b"".join(single.feed(bytes([byte])) for byte in raw) == out
    assert ALLOWED.fullmatch(out.decode())
    plain = raw.decode("utf-8", "ignore").encode() == raw
    assert not plain or out.decode() == run([raw.decode()])


@given(st.lists(texts, max_size=5))
@example(["\x1b[31", "m\x1b[", "2J"])
def test_only_text_and_colour_come_out_and_little_is_kept(pieces: list[str]) -> None:
    one = TerminalFilter()
    for piece in pieces:
        out = one.feed(piece)
        assert ALLOWED.fullmatch(out), out
        assert one.kept <= LONGEST_COLOUR + LONGEST_STYLE
        assert ALLOWED.fullmatch(one.pause())


@given(st.text(st.characters(exclude_categories=["Cc"])))
def test_text_without_controls_is_unchanged(text: str) -> None:
    assert run([text]) == filtered(text) == text
    assert run([f"{text}\t{text}\r{text}\n{text}"]) == f"{text}\t{text}\r{text}\n{text}"


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("\x1b]0;title\x07a", "a"),
        ("\x1b]52;c;ZWNobyBoYWNrZWQ=\x1b\\a", "a"),
        ("\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9d0;title\x9ca", "a"),
        ("\x1bPq#0~\x1b\\a", "a"),
        ("\x1b_G\x1b\\\x1b^x\x1b\\\x1bXy\x1b\\\x1bktitle\x1b\\a", "a"),
        ("\x1b[2J\x1b[H\x1b[1A\x1b[?1049h\x1b[6na", "a"),
        ("\x1b[>4;2ma", "a"),
        ("\x1b[?4ma", "a"),
        ("\x1b[ ma", "a"),
        ("\x9b31ma", "a"),
        ("\x1bc\x1b7\x1b8\x1b#8\x1b(0\x1b%Ga", "a"),
        ("\x1b\x1b[31ma", "\x1b[31ma"),
        ("\x1b[3\n1ma", "\n1ma"),
        ("\x1b[3\x181ma", "1ma"),
        ("abc\b\b\bxyz\a\x7f\0\x0b\x0c\x05\x0e\x0f", "abcxyz"),
        ("a\x85b\x84c", "abc"),
        ("10%\r20%\r\n", "10%\r20%\r\n"),
    ],
)
def test_control_sequences_are_removed(given_: str, shown: str) -> None:
    assert run([given_]) == shown


@pytest.mark.parametrize("begin", ["\x1b]52;c;", "\x1bP", "\x9d", "\x1b[?", "\x9b", "\x1bk"])
def test_an_unfinished_sequence_hides_at_most_one_line(begin: str) -> None:
    assert run([begin + "1" * 100, "\nnext line\n"]) == "\nnext line\n"
    shown = run([begin + "1" * 3 * LONGEST_SEQUENCE])
    assert 2 * LONGEST_SEQUENCE - 10 <= len(shown) <= 2 * LONGEST_SEQUENCE + 10


def test_a_too_long_colour_sequence_is_removed() -> None:
    assert run(["\x1b[" + "1;" * LONGEST_COLOUR + "ma"]) == "a"


def test_a_line_ends_without_colour() -> None:
    assert run(["\x1b[31mred\nplain\n"]) == f"\x1b[31mred{RESET}\nplain\n"
    assert run(["\x1b[31mred\x1b[0m\n"]) == "\x1b[31mred\x1b[0m\n"
    assert filtered("\x1b[8mhidden") == f"\x1b[8mhidden{RESET}"


def test_a_pause_within_a_line_resets_and_restores_the_colour() -> None:
    one = TerminalFilter()
    assert one.feed("\x1b[1m\x1b[31mred") + one.pause() + one.pause() == f"\x1b[1m\x1b[31mred{RESET}"
    assert one.feed("more\n") == f"\x1b[1m\x1b[31mmore{RESET}\n"
    assert one.feed("plain") + one.pause() == "plain"


def test_a_carriage_return_never_leaves_a_row_without_its_start() -> None:
    assert run(["10%\r20%\r\r\nnext"], "web-1 | ") == "10%\rweb-1 | 20%\r\r\nnext"
    hidden = run(["\x1b[8mx\rfake"], "web-1 | ")
    assert hidden == f"\x1b[8mx\r{RESET}web-1 | \x1b[8mfake"


def test_no_colour_where_none_is_wanted() -> None:
    assert filtered("\x1b[31mred\x1b[0m", colours=False) == "red"


def test_texts_that_are_printed_whole_keep_no_carriage_return() -> None:
    assert filtered("the image is bad\rjobctl: all is well") == "the image is badjobctl: all is well"
