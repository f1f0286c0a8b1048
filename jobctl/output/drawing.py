"""Tables, and live displays on a terminal.

Owns the colours of states. Only this module imports rich, and only for live displays. Without a terminal, columns are plain text of
full width.
"""

import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from jobctl.output.output import can_animate, printable, styled, text
from jobctl.output.table import Layout, Line, Rows, Table, cell_width, shortened

STATUS_STYLES = {
    "running": "cyan",
    "accepted": "yellow",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "unreadable": "bold red",
    "delivered": "green",
    "parked": "red",
    "pending": "yellow",
    "ok": "green",
    "FAIL": "bold red",
}


class Screen(Protocol):
    """A live display on a terminal."""

    def show(self, text: str) -> None:
        """Replaces the displayed text."""
        ...


class TableWriter:
    """Prints the rows of a table in parts, on a terminal fitted to its width (`table.py`)."""

    def __init__(self, shape: Table) -> None:
        self._layout = Layout(shape, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
        self._header = True

    def add(self, rows: Rows) -> None:
        """Prints the next rows, and before the first rows the header."""
        drawn = self._layout.lines(clean(rows))
        lines = []
        for number, row in enumerate(drawn):
            style = "bold" if self._header and number == 0 else None
            lines += ["".join(_styled_cell(cell, style) for cell, _ in line) + "\n" for line in row]
        self._header = False
        text("".join(lines))


def table(shape: Table, rows: Rows) -> None:
    """Prints a whole table."""
    TableWriter(shape).add(rows)


def clean(rows: Rows) -> Rows:
    """Returns the rows without control characters."""
    return [[printable(cell) for cell in row] for row in rows]


def _styled_cell(cell: str, style: str | None) -> str:
    word = cell.rstrip(" ")
    kind = style or STATUS_STYLES.get(word)
    return styled(word, kind) + cell[len(word) :] if kind else cell


def screen(*, on_stderr: bool) -> AbstractContextManager[Screen | None]:
    """Gives a live display; None without a terminal. The cursor stays visible, also when the program is stopped or killed."""
    stream = sys.stderr if on_stderr else sys.stdout
    if not can_animate(on_stderr=on_stderr):
        return nullcontext(None)
    return LiveDisplay(stream, transient=on_stderr, hides_cursor=False)


class LiveDisplay:
    """A part of the terminal that is drawn again and again. Use as a context manager."""

    def __init__(self, stream: Any, *, transient: bool, hides_cursor: bool) -> None:
        from rich.live import Live

        self._live = Live(
            console=_console(stream, hides_cursor=hides_cursor),
            transient=transient,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> "LiveDisplay":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        """Shows one line of text."""
        from rich.text import Text

        self._live.update(Text(printable(text), no_wrap=True, overflow="ellipsis"), refresh=True)

    def show_rows(
        self, rows: list[list[Line]], title: str = "", footer: str = "", selected: int | None = None
    ) -> None:
        """Shows a table with its header, a title above and a line below it. `selected`: the index of a row that is shown in reverse."""
        from rich.text import Text

        width = self._live.console.width
        drawn = Text(overflow="fold")
        if title:
            drawn.append(shortened(printable(title), width) + "\n", "dim")
        for number, row in enumerate(rows):
            for line in row:
                used = 0
                for cell, _ in line:
                    style = "bold" if number == 0 else STATUS_STYLES.get(cell.rstrip(" "), "")
                    drawn.append(cell, f"{style} reverse".strip() if number == selected else style)
                    used += cell_width(cell)
                if number == selected:
                    drawn.append(" " * max(0, width - used), "reverse")
                drawn.append("\n")
        if footer:
            drawn.append(shortened(printable(footer), width) + "\n")
        drawn.right_crop(1)
        self._live.update(drawn, refresh=True)


def _console(stream: Any, *, hides_cursor: bool) -> Any:
    from rich.console import Console

    console: Any = Console(
        file=stream,
        no_color=bool(os.environ.get("NO_COLOR")) or not stream.isatty(),
        highlight=False,
        soft_wrap=False,
    )
    if not hides_cursor:
        console.show_cursor = lambda show=True: False  # rich hides the cursor during every live display
    return console
