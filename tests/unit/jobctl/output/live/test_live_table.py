"""Which rows of a live table fit a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.live.live_table import window
from jobctl.output.table import Line


def rows(*heights: int) -> list[list[Line]]:
    return [[[(str(number), "ID")]] * height for number, height in enumerate(heights)]


def names(kept: list[list[Line]]) -> list[str]:
    return [row[0][0][0] for row in kept]


def test_the_first_rows_are_kept() -> None:
    kept, at = window(rows(1, 1, 1, 1), 3)
    assert (names(kept), at) == (["0", "1", "2"], None)


def test_the_selected_row_is_kept() -> None:
    kept, at = window(rows(1, 1, 2, 1, 1), 3, selected=3)
    assert (names(kept), at) == (["0", "3", "4"], 1)
    kept, at = window(rows(1, 1, 1), 9, selected=2)
    assert (names(kept), at) == (["0", "1", "2"], 2)


@given(st.lists(st.integers(1, 2), min_size=1, max_size=12), st.integers(-1, 14), st.data())
def test_any_selected_row_is_visible_if_it_can_be(
    heights: list[int], lines: int, data: st.DataObject
) -> None:
    table = rows(1, *heights)
    selected = data.draw(st.integers(1, len(heights)))
    kept, at = window(table, lines, selected)
    assert names(kept)[0] == "0"
    body = sum(len(row) for row in kept[1:])
    assert not kept[1:] or body <= lines - 1
    if len(table[selected]) <= lines - 1:
        assert at is not None
        assert names(kept)[at] == str(selected)
    else:
        assert at is None
