"""Plots in one line of text: their heights and widths."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.plots import COLUMNS, bar, columns, joined


def test_columns_are_as_high_as_their_share() -> None:
    assert columns([0, 1, 4, 8], 8, plain=False) == " ▁▄█"
    assert columns([0, 1, 4, 8], 8, plain=True) == " .=@"
    assert columns([], 0, plain=False) == ""
    assert columns([0, 0], 0, plain=False) == "  "
    assert columns([9], 3, plain=False) == COLUMNS[-1]


def test_a_share_above_nothing_is_seen() -> None:
    assert bar(0.0, 4, plain=True) == "...."
    assert bar(0.01, 4, plain=True) == "#..."
    assert bar(0.5, 4, plain=False) == "██░░"
    assert bar(1.5, 4, plain=True) == "####"


@given(st.lists(st.integers(0, 1000), max_size=200), st.integers(1, 100))
def test_joined_values_keep_their_sum_and_fit(values: list[int], width: int) -> None:
    found = joined(values, width)
    assert sum(found) == sum(values)
    assert len(found) <= width
