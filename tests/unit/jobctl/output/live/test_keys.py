"""Keys of a terminal, in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.live.keys import LONGEST_SEQUENCE, KeyDecoder


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        (b"jk", ["j", "k"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA\x1bOBq", ["up", "down", "q"]),
        (b"\x1b[1;5A", []),
        (b"\x1b[3~c", ["c"]),
        (b"\x1bx", ["escape", "x"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
        (b"\r\ny", ["enter", "enter", "y"]),
        ("é\t\x00\x7f".encode(), []),
    ],
)
def test_keys_have_names(pressed: bytes, keys: list[str]) -> None:
    assert KeyDecoder().feed(pressed) == keys


def test_an_escape_is_a_key_once_nothing_follows() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.flush() == ["escape"]
    assert decoder.flush() == []
    assert decoder.feed(b"\x1b[") == []
    assert decoder.flush() == [], "a sequence that was cut is no key"
    assert decoder.feed(b"A") == ["A"]


def test_an_endless_sequence_is_dropped() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[" + b"1" * LONGEST_SEQUENCE) == []
    assert not decoder.unfinished


@given(st.lists(st.sampled_from([b"j", b"\x1b[A", b"\x1bOB", b"\x1b[5~", b"\r", b"\xc3\xa9"])), st.data())
def test_the_pieces_do_not_matter(keys: list[bytes], data: st.DataObject) -> None:
    whole, decoder, found, at = b"".join(keys), KeyDecoder(), [], 0
    while at < len(whole):
        size = data.draw(st.integers(1, 4))
        found += decoder.feed(whole[at : at + size])
        at += size
    assert found == KeyDecoder().feed(whole)
