"""How far files are, in a line; what goes through is what came."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.live.meter import line, metered


@given(st.lists(st.binary(max_size=20)))
def test_the_blocks_are_passed_on_unchanged(blocks: list[bytes]) -> None:
    assert list(metered(iter(blocks), "sending", 5)) == blocks


def test_with_and_without_a_total() -> None:
    assert line("sending files", 1 << 20, 4 << 20, 2048.0).split("  ") == [
        "sending files", "[######..................]", "1.0 MiB of 4.0 MiB", "2.0 KiB/s", "about 25m left",
    ]  # fmt: skip
    assert line("fetching x", 3, None, 1.5) == "fetching x  3 B  1 B/s"
    assert "[########################]" in line("sending files", 9, 4, 1.0), "tar adds some bytes"
