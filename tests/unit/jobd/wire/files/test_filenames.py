"""The escape of file names: reversible for every name, no change of ordinary names, always valid UTF-8 text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.wire.files.filenames import escape, readable, unescape

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
@example(b"\xed\xb3\xa9")  # a surrogate, which is invalid in UTF-8
@example(b"\xf4\x90\x80\x80")  # beyond the last code point
@example(b"\xc0\xaf")  # a '/', overlong
def test_every_name_round_trips(name: bytes) -> None:
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
def test_an_ordinary_name_is_not_escaped(name: str) -> None:
    assert escape(name.encode()) == name
    assert unescape(name) == name.encode()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"caf\xe9.txt", b"caf\xe9.txt"),
        (r"caf\xE9.txt", b"caf\xe9.txt"),
        (r"a\\b", rb"a\b"),
        (r"a\b", rb"a\b"),  # lenient: as in specs of versions without an escape
        ("a\\", b"a\\"),
        (r"\\xe9", rb"\xe9"),
        (r"\x2e\x2e", rb"\x2e\x2e"),  # an escape of '.' or '/' does not exist
        (r"\x2f\x00", rb"\x2f\x00"),
        ("é", "é".encode()),
    ],
)
def test_escapes_are_decoded(text: str, name: bytes) -> None:
    assert unescape(text) == name


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
def test_decoding_adds_no_path_part_and_no_parent_reference(text: str) -> None:
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
def test_readable_encodes_any_text_and_leaves_valid_text_unchanged(text: str) -> None:
    made = readable(text)
    made.encode()
    assert readable(made) == made
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert made == text
