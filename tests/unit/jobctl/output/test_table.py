"""A table in the width of a terminal: ids whole, columns whole or gone, in the order that is documented."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.commands.daemon.doctor import TABLE as DOCTOR
from jobctl.commands.events.deliveries import TABLE as DELIVERIES
from jobctl.commands.events.deliveries import WIDE_TABLE as DELIVERIES_WIDE
from jobctl.output.job_table import TABLE as LS
from jobctl.output.job_table import WIDE_TABLE as LS_WIDE
from jobctl.output.table import GAP, SHORTEST_TEXT, Layout, Table, cell_width, folded, shortened
from jobctl.top.rows import TABLE as TOP

TABLES = [LS, LS_WIDE, TOP, DELIVERIES, DELIVERIES_WIDE, DOCTOR]
words = st.text(string.ascii_letters + "é日", min_size=1, max_size=70)


def text_of(line: Any) -> str:
    return "".join(cell for cell, _ in line)


def heads(lines: Any) -> list[str]:
    return [name for _, name in lines[0][0]]


@st.composite
def tables(draw: Any) -> tuple[Table, list[list[str]]]:
    table = draw(st.sampled_from(TABLES))
    row = st.lists(words, min_size=len(table.columns), max_size=len(table.columns))
    return table, draw(st.lists(row, min_size=1, max_size=6))


@given(tables())
def test_without_a_terminal_tables_are_whole(drawn: Any) -> None:
    table, rows = drawn
    lines = Layout(table, None).lines(rows)
    assert text_of(lines[0][0]).split() == list(table.columns)
    for row, (line,) in zip(rows, lines[1:], strict=True):
        assert text_of(line).split() == row


@given(tables(), st.integers(10, 250))
def test_ids_are_never_cut_and_columns_are_dropped_whole(drawn: Any, width: int) -> None:
    table, rows = drawn
    lines = Layout(table, width).lines(rows)
    kept = heads(lines)
    assert kept == [name for name in table.columns if name in kept], "the order stays"
    gone = [name for name in table.drop if name not in kept]
    assert gone == list(table.drop[: len(gone)]), "the least useful goes first"
    assert kept[0] == table.columns[0]
    for row, drawn_row in zip(rows, lines[1:], strict=True):
        assert drawn_row[0][0][0].rstrip() == row[0]
    if gone != list(table.drop):
        for line in [line for row in lines for line in row if len(line) > 1]:
            assert cell_width(text_of(line)) <= width


@given(tables(), st.integers(10, 250))
def test_only_texts_are_shortened(drawn: Any, width: int) -> None:
    table, rows = drawn
    lines = Layout(table, width).lines(rows)
    for row, drawn_row in zip(rows, lines[1:], strict=True):
        last = drawn_row[1] if len(drawn_row[0]) == 1 and len(lines[0][0]) > 1 else drawn_row[0]
        for cell, name in last[1:]:
            before, after = row[table.columns.index(name)], cell.rstrip()
            if name in table.elastic:
                assert after == before or (after.endswith("…") and before.startswith(after[:-1]))
                assert after == before or cell_width(after) >= SHORTEST_TEXT - 1
            elif not table.folded:
                assert after == before


@given(tables(), st.integers(10, 250))
def test_a_folded_text_is_all_there(drawn: Any, width: int) -> None:
    _, rows = drawn
    cells = [[*row[:2], " ".join(row)] for row in rows if len(row) > 2]
    lines = Layout(DOCTOR, width).lines(cells)
    for row, drawn_row in zip(cells, lines[1:], strict=True):
        shown = "".join(text_of(line) for line in drawn_row)
        assert "".join(row).replace(" ", "") == shown.replace(" ", "")


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_text_is_cut_to_the_width(text: str, width: int) -> None:
    assert cell_width(shortened(text, width)) <= max(width, 1)
    assert all(cell_width(line) <= max(width, 2) for line in folded(text, width))


def test_one_long_id_does_not_shorten_other_rows() -> None:
    row = ["running", "running", "-", "5s", "busybox:latest"]
    short = Layout(LS, 80).lines([["short", *row]])
    both = Layout(LS, 80).lines([["short", *row], ["x" * 60, *row]])
    assert short == both[:2]
    assert [text_of(line) for line in both[2]] == ["x" * 60, " " * 7 + text_of(short[1][0])[7:]]


def test_later_parts_keep_the_columns_and_may_widen_them() -> None:
    layout = Layout(DELIVERIES, None)
    first = layout.lines([["1", "exit", "pending", "0", "-", "-", "1s"]])
    second = layout.lines([["1000", "complete", "delivered", "1", "204", "-", "1s"]])
    assert len(first) == 2
    assert len(second) == 1
    assert text_of(second[0][0]).split()[0] == "1000"


@pytest.mark.parametrize("table", TABLES)
def test_only_columns_are_dropped_and_never_the_first(table: Table) -> None:
    assert set(table.drop) | table.elastic <= set(table.columns)
    assert table.columns[0] not in table.drop
    assert len(table.columns) * GAP < 60
