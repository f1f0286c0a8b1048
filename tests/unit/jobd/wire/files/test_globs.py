"""Globs against a matcher that tries everything, and invalid globs."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.wire.files.filenames import escape
from jobd.wire.files.globs import MAX_GLOB, glob_of

# What a glob consists of, as text and as the characters that each piece takes; None: any number of characters.
ANY, STAR = "any", None
PIECES: list[tuple[str, str | None]] = [
    ("a", "a"),
    ("b", "b"),
    (".", "."),
    ("/", "/"),
    ("/", "/"),
    ("*", STAR),
    ("**", STAR),
    ("?", ANY),
    ("[ab]", "ab"),
    ("[a-b.]", "ab."),
    ("[^a]", "b.*é\n\udce9"),
    ("[!a-b]", ".*é\n\udce9"),
    (r"\*", "*"),
    (r"\a", "a"),
    ("é", "é"),
    (r"\xc3\xa9", "é"),
    (r"\xe9", "\udce9"),
    (r"[\xe9]", "\udce9"),
]
CHARACTERS = "ab./*é\n\udce9"
paths = st.lists(
    st.text(st.sampled_from(CHARACTERS.replace("/", "")), min_size=1, max_size=4), min_size=1, max_size=3
).map("/".join)


def fits(pieces: list[str | None], text: str) -> bool:
    """The matcher that tries everything."""
    if not pieces:
        return not text
    first, rest = pieces[0], pieces[1:]
    if first is STAR:
        return fits(rest, text) or (bool(text) and text[0] != "/" and fits(pieces, text[1:]))
    taken = bool(text) and (text[0] != "/" if first is ANY else text[0] in first)
    return taken and fits(rest, text[1:])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7), paths, st.booleans())
@example([("a", "a"), ("/", "/"), ("b", "b")], "a/b", False)
@example([("b", "b")], "a/b", False)
def test_a_glob_matches_like_a_matcher_that_tries_everything(
    pieces: list[tuple[str, str | None]], path: str, is_folder: bool
) -> None:
    text = "".join(said for said, _ in pieces)
    takes = [taken for _, taken in pieces]
    folders_alone = text.endswith("/") and len(text) > 1
    if folders_alone:
        takes.pop()
    try:
        glob = glob_of(text)
    except ValueError:
        assert any(part in ("", ".", "..") for part in text.removesuffix("/").split("/"))
        return
    subject = path if "/" in takes else path.rpartition("/")[2]
    expected = fits(takes, subject) and (is_folder or not folders_alone)
    assert glob.matches(path, is_folder=is_folder) == expected


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"\0/[*?")), paths)
@example(b"caf\xe9\\x41.txt", "a")
def test_an_escaped_name_matches_only_its_own_name(name: bytes, other: str) -> None:
    if name in (b".", b".."):
        return
    glob = glob_of(escape(name))
    assert glob.matches("d/" + os.fsdecode(name), is_folder=False)
    assert not glob.matches(other, is_folder=False) or other.rpartition("/")[2] == os.fsdecode(name)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab/[]^!-*?\\x9e."), max_size=10), paths)
def test_any_text_is_a_glob_or_refused(text: str, path: str) -> None:
    try:
        glob = glob_of(text)
    except ValueError:
        return
    assert glob.matches(path, is_folder=True) in (True, False)


def test_every_glob_matches_in_proportional_time() -> None:
    for text in ("*a" * 120 + "b", "*?" * 120 + "b", "**[ab]" * 40 + "c", "*/" * 100 + "b"):
        assert not glob_of(text).matches("/".join(["a" * 255] * 16), is_folder=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1 to 255"),
        ("x" * (MAX_GLOB + 1), "1 to 255"),
        ("a\0", "1 to 255"),
        ("[", "without its ']'"),
        ("x[]", "without its ']'"),
        ("[^", "without its ']'"),
        ("[a-", "without its ']'"),
        ("[z-a]", "empty range"),
        ("a\\", "single backslash"),
        ("/a", "no '/' at its beginning"),
        ("a//", "no '/' at its beginning"),
        ("./a", "'.' or '..'"),
        ("a/..", "'.' or '..'"),
        ("..", "'.' or '..'"),
    ],
)
def test_an_invalid_glob_is_refused_with_its_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        glob_of(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "taken", "left"),
    [
        ("[]a]", "]", "b"),
        ("[a-]", "-", "b"),
        ("[-a]", "-", "b"),
        ("[^]]", "a", "]"),
        (r"[\]]", "]", "\\"),
        (r"\[a]", "[a]", "a"),
        ("...", "...", ".."),
        (".*", ".git", "git"),
        ("A", "A", "a"),
    ],
)
def test_brackets_and_dots(text: str, taken: str, left: str) -> None:
    assert glob_of(text).matches(taken, is_folder=False)
    assert not glob_of(text).matches(left, is_folder=False)
