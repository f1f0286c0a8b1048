"""Columns, and texts that cannot move the cursor."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.output import bar, plain_columns, printable

cells = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@given(st.lists(st.tuples(cells, cells, cells), max_size=6))
def test_plain_columns_can_be_split_again(rows: Any) -> None:
    lines = plain_columns(("A", "B", "C"), [list(row) for row in rows]).splitlines()
    assert [tuple(line.split()) for line in lines] == [("A", "B", "C"), *rows]
    assert not any(line.endswith(" ") for line in lines)


@given(st.text())
def test_printable_texts_hold_no_control_characters(text: Any) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


def test_a_progress_bar_shows_the_share() -> None:
    assert bar(5, None) == ""
    assert bar(1, 2, 4) == "[##..]"
    assert bar(9, 2, 4) == "[####]"
