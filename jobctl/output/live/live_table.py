"""A table that is drawn again and again on a terminal: which of its rows fit, and a title that counts the others."""

import shutil
import sys
from collections.abc import Callable

from jobctl.output.drawing import LiveDisplay, clean
from jobctl.output.live.live_terminal import LiveTerminal
from jobctl.output.table import Layout, Line, Rows, Table

CURSOR_LINES = 1
"""The lines of the terminal that a live table leaves free at its end."""

Contents = tuple[Table, Rows]


def live_display() -> LiveDisplay:
    """Returns a display that stays on the terminal at its end. The cursor is hidden meanwhile."""
    return LiveDisplay(sys.stdout, transient=False, hides_cursor=True)


def watch_table(contents: Callable[[], Contents], every_s: float) -> None:
    """Shows a table until the user quits. Needs a terminal.

    Raises:
        EndedBySignal: a signal ends the program. KeyboardInterrupt.
    """
    with LiveTerminal() as terminal, live_display() as display:
        while True:
            draw(display, *contents())
            if not terminal.pause(every_s):
                return


def draw(
    display: LiveDisplay,
    shape: Table,
    rows: Rows,
    title: str = "",
    omitted: int = 0,
    footer: str = "",
    selected: int | None = None,
) -> None:
    """Shows a table. The title counts the rows that do not fit, and the `omitted` ones. The row `selected` is always visible."""
    size = shutil.get_terminal_size()
    shown = Layout(shape, size.columns).lines(clean(rows))
    free = size.lines - CURSOR_LINES - bool(footer)
    for title_lines in (int(bool(title)), 1):
        kept, at = window(shown, free - title_lines, None if selected is None else selected + 1)
        hidden = len(shown) - len(kept) + omitted
        if not hidden:
            break
    notes = [f"{hidden} more jobs do not fit" if hidden else "", title]
    display.show_rows(kept, "; ".join(filter(None, notes)), footer, at)


def window(
    rows: list[list[Line]], lines: int, selected: int | None = None
) -> tuple[list[list[Line]], int | None]:
    """Returns the header and the rows that fit into `lines` lines, with the row `selected` among them, and the new index of this row.
    The header is always there. Pure.
    """
    header, start = rows[:1], 1
    room = lines - sum(map(len, header))
    if selected is not None:
        used = sum(map(len, rows[start : selected + 1]))
        while used > room and start < selected:
            used -= len(rows[start])
            start += 1
    kept = list(header)
    for row in rows[start:]:
        room -= len(row)
        if room < 0:
            break
        kept.append(row)
    at = None if selected is None else selected - start + 1
    return kept, at if at is not None and at < len(kept) else None
