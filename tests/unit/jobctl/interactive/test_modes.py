import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.interactive.modes import Modes


@pytest.mark.parametrize(
    ("printed", "resets"),
    [
        (b"text \x1b[31mred\x1b[0m", b""),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?25l...\x1b[?25h", b""),
        (b"\x1b[?1049h\x1b[?25l\x1b[?2004h", b"\x1b[?25h\x1b[?1049l\x1b[?2004l"),
        (b"\x1b[?1000;1006h", b"\x1b[?1000l\x1b[?1006l"),
        (b"\x1b[?1049h\x1b[?1049l", b""),
        (b"\x1b[?12h", b""),
    ],
)
def test_what_the_output_has_set_is_reset(printed: bytes, resets: bytes) -> None:
    modes = Modes()
    modes.follow(printed)
    assert modes.resets() == resets


@given(
    st.lists(st.sampled_from([b"\x1b", b"[?", b"25", b"1049", b";", b"h", b"l", b"x", b"\x1b[?25l"])),
    st.data(),
)
def test_any_cutting_of_the_output_finds_the_same(parts: list[bytes], data: st.DataObject) -> None:
    printed = b"".join(parts)
    whole, cut = Modes(), Modes()
    whole.follow(printed)
    at = 0
    while at < len(printed):
        size = data.draw(st.integers(1, 5))
        cut.follow(printed[at : at + size])
        at += size
    assert cut.resets() == whole.resets()
