"""The escape of file names: reversible for every name, nothing but itself for ordinary ones, always text that UTF-8 can hold."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.wire.filenames import escape, readable, unescape

BYTES = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"\\", b"x", b"e9", b"\xe9", b"caf", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xff", b"\n"]),
    max_size=9,
).map(b"".join)
NAMES = BYTES.filter(lambda name: b"\0" not in name and b"/" not in name)
ORDINARY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\\0/"), max_size=20)
ANY_TEXT = st.text(st.characters(max_codepoint=0x10FFFF) | st.characters(categories=["Cs"]), max_size=20)


@settings(max_examples=120, deadline=None)
@given(NAMES)
@example(b"caf\xe9.txt")
@example(rb"caf\xe9.txt")
@example(b"\\")
@example(b"\\\xe9")
@example(b"\xed\xb3\xa9")  # a surrogate, written as UTF-8 has no place for it
@example(b"\xf4\x90\x80\x80")  # beyond the last code point
@example(b"\xc0\xaf")  # a '/', overlong
def test_every_name_comes_back(name: bytes) -> None:
    text = escape(name)
    assert unescape(text) == name
    text.encode()
    assert "/" not in text
    assert "\0" not in text


@settings(max_examples=100, deadline=None)
@given(NAMES, NAMES)
def test_different_names_have_different_texts(one: bytes, other: bytes) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@settings(max_examples=100, deadline=None)
@given(ORDINARY)
def test_an_ordinary_name_is_itself(name: str) -> None:
    assert escape(name.encode()) == name
    assert unescape(name) == name.encode()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"caf\xe9.txt", b"caf\xe9.txt"),
        (r"caf\xE9.txt", b"caf\xe9.txt"),
        (r"a\\b", rb"a\b"),
        (r"a\b", rb"a\b"),  # lenient: as specs had it before there was an escape
        ("a\\", b"a\\"),
        (r"\\xe9", rb"\xe9"),
        (r"\x2e\x2e", rb"\x2e\x2e"),  # no way to write what a check of the path looks for
        (r"\x2f\x00", rb"\x2f\x00"),
        ("é", "é".encode()),
    ],
)
def test_what_a_text_stands_for(text: str, name: bytes) -> None:
    assert unescape(text) == name


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
def test_no_text_gains_a_part_or_a_way_up(text: str) -> None:
    try:
        name = unescape(text)
    except UnicodeEncodeError:
        return
    assert name.count(b"/") == text.count("/")
    assert name.count(b"\0") == text.count("\0")
    assert (b".." in name.split(b"/")) == (".." in text.split("/"))


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
@example("\udce9")
@example("\ud800")
def test_any_text_is_made_readable_and_good_text_is_left(text: str) -> None:
    made = readable(text)
    made.encode()
    assert readable(made) == made
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert made == text
