"""What jobctl prints: tables, JSON, YAML and names on stdout; notes and errors on stderr.

A terminal is given text and colour alone (`terminal.py`), a pipe the text as it is. JSON escapes what steers a terminal in
both. Owns the look, and is the only module that imports rich - where something is drawn on a terminal. Off a terminal columns
are plain and stable; there is no colour there, nor with NO_COLOR.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from jobctl.errors import JobctlError
from jobctl.terminal import ByteFilter, TerminalFilter, filtered

STATUS_STYLES = {
    "running": "cyan",
    "accepted": "yellow",
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

ONE_LINE_COLUMNS = frozenset({"ID", "STATUS", "PHASE", "AGE", "EXIT", "FOR", "TRY", "CPU", "MEMORY"})
ANSI_STYLES = {"green": "32", "bold red": "1;31", "dim": "2"}
"""Styles of single words in a line, which need no drawing library."""

_STEERING = re.compile("[\x7f-\x9f\ud800-\udfff]")
_STEERING_BYTES = re.compile(rb"\x7f|\xc2[\x80-\x9f]")
"""DEL and the C1 controls in UTF-8. JSON writes the others with escapes anyway."""

Rows = Sequence[Sequence[str]]


class Screen(Protocol):
    """Something on a terminal that is drawn again and again."""

    def show(self, text: str) -> None:
        """Replaces what is shown."""
        ...


def table(columns: Sequence[str], rows: Rows, *, format: str = "", header: bool = True) -> None:
    """Prints rows: drawn on a terminal or where a table was asked for, else as plain columns."""
    clean = [[printable(cell) for cell in row] for row in rows]
    if format in ("table", "wide") or sys.stdout.isatty():
        _console(sys.stdout).print(_rich_table(columns, clean))
    else:
        text(plain_columns(columns if header else None, clean))


def plain_columns(columns: Sequence[str] | None, rows: Rows) -> str:
    """Returns rows as columns with at least two blanks between them, without any at the end of a line."""
    lines = [*([columns] if columns else []), *rows]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(len(lines[0]))] if lines else []
    return "".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Prints names and values, one a line, the values in one column."""
    rows = [(f"{name}:", printable(value, keep_newlines=True)) for name, value in pairs]
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, value in rows:
        text(name.ljust(width) + value.replace("\n", "\n" + " " * width) + "\n")


def tree(value: Any, format: str) -> None:
    """Prints a tree of plain values as JSON or YAML."""
    if format == "yaml":
        import yaml

        text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False))
    else:
        text(json_text(value, indent=2) + "\n")


def json_line(value: Any) -> None:
    """Prints one value as a line of NDJSON, at once."""
    text(json_text(value, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def json_text(value: Any, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """Returns a value as JSON that steers no terminal: DEL, C1 controls and lone surrogates are written as escapes."""
    plain = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", plain)


def json_bytes(encoded: bytes) -> bytes:
    """Returns JSON in UTF-8 with DEL and C1 controls as escapes: the same value."""
    return _STEERING_BYTES.sub(lambda found: b"\\u00%02x" % found.group()[-1], encoded)


def text(what: str) -> None:
    """Prints data: into a pipe as it is, on a terminal without control sequences other than colour. What UTF-8 cannot say
    becomes a mark instead of an error.
    """
    if sys.stdout.isatty():
        what = filtered(what, colours=_may_colour())
    sys.stdout.buffer.write(what.encode("utf-8", "replace"))


def terminal_filter(stream: Any) -> ByteFilter | None:
    """Returns the filter for a job's bytes on `stream`, or None where that is no terminal and gets them as they are."""
    return ByteFilter(TerminalFilter(colours=_may_colour())) if stream.isatty() else None


def descriptor_filter(descriptor: int) -> TerminalFilter | None:
    """Returns the filter for what is written to an open file, as `terminal_filter` does."""
    return TerminalFilter(colours=_may_colour()) if os.isatty(descriptor) else None


def note(what: str, *, after_key: bool = False) -> None:
    """Says something to the person, on stderr. A terminal that is gone is no reason to fail. `after_key`: on a line of its
    own, where the terminal has just shown a key such as ^C.
    """
    try:
        if after_key and sys.stderr.isatty():
            sys.stderr.write("\n")
        sys.stderr.write(f"jobctl: {printable(what)}\n")
        sys.stderr.flush()
    except OSError:
        pass


def error(what: JobctlError, *, as_json: bool) -> None:
    """Says on stderr what happened, where, and what helps."""
    if as_json:
        parts = {"error": what.message, "code": what.code, "field": what.field, "hint": what.hint}
        sys.stderr.write(json_text({k: v for k, v in parts.items() if v is not None}) + "\n")
        return
    where = f"{what.field}: " if what.field and f"{what.field}:" not in what.message else ""
    note(f"{where}{what.message}")
    if what.hint:
        note(f"  {what.hint}")


def coloured() -> bool:
    """True where stdout may carry colour."""
    return sys.stdout.isatty() and _may_colour()


def _may_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(what: str, style: str) -> str:
    """Returns a text in one of `ANSI_STYLES` where stdout may carry colour, else as it is."""
    return f"\x1b[{ANSI_STYLES[style]}m{what}\x1b[0m" if coloured() else what


def can_animate(*, on_stderr: bool = False) -> bool:
    """True where something can be drawn again and again: on a terminal that can move its cursor."""
    stream = sys.stderr if on_stderr else sys.stdout
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def screen(*, on_stderr: bool) -> AbstractContextManager[Screen | None]:
    """Gives a place on the terminal that can be drawn again and again; None off a terminal."""
    stream = sys.stderr if on_stderr else sys.stdout
    if not can_animate(on_stderr=on_stderr):
        return nullcontext(None)
    return _Live(stream, transient=on_stderr)


class _Live:
    def __init__(self, stream: Any, *, transient: bool) -> None:
        from rich.live import Live

        self._live = Live(
            console=_console(stream),
            transient=transient,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        from rich.text import Text

        self._live.update(Text(printable(text), no_wrap=True, overflow="ellipsis"), refresh=True)

    def show_table(self, columns: Sequence[str], rows: Rows, title: str) -> None:
        clean = fitting(
            [[printable(cell) for cell in row] for row in rows], columns, self._live.console.width
        )
        drawn = _rich_table(columns, clean)
        if title:
            from rich.console import Group
            from rich.text import Text

            head = Text(printable(title), style="dim", no_wrap=True, overflow="ellipsis")
            drawn = Group(head, drawn)
        self._live.update(drawn, refresh=True)


def watch_table(
    columns: Sequence[str],
    rows: Callable[[], Rows],
    wait: Callable[[], bool],
    title: Callable[[], str] = lambda: "",
) -> None:
    """Draws a table again and again until `wait` says that it is enough; `title` is asked after `rows`. Needs a terminal."""
    live = _Live(sys.stdout, transient=False)
    with live:
        while True:
            found = rows()
            live.show_table(columns, found, title())
            if not wait():
                return


def fitting(rows: Rows, columns: Sequence[str], width: int) -> Rows:
    """Returns rows whose last cells are cut to the room that the other columns leave of `width`; at least ten characters."""
    others = [max(len(line[i]) for line in [columns, *rows]) + 2 for i in range(len(columns) - 1)]
    room = max(10, width - sum(others))
    return [[*row[:-1], row[-1] if len(row[-1]) <= room else row[-1][: room - 1] + "…"] for row in rows]


def bar(done: int, total: int | None, width: int = 24) -> str:
    """Returns a progress bar in plain characters; empty where the total is unknown."""
    if not total:
        return ""
    filled = min(width, width * done // total)
    return "[" + "#" * filled + "." * (width - filled) + "]"


def _rich_table(columns: Sequence[str], rows: Rows) -> Any:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(column, no_wrap=column in ONE_LINE_COLUMNS, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
    return drawn


def _console(stream: Any) -> Any:
    from rich.console import Console

    return Console(
        file=stream,
        no_color=bool(os.environ.get("NO_COLOR")) or not stream.isatty(),
        highlight=False,
        soft_wrap=False,
    )


def printable(cell: str, *, keep_newlines: bool = False) -> str:
    """Returns a text of jobs or daemons in a form that never moves the cursor or colours the screen."""
    if cell.isprintable():
        return cell
    return "".join(
        c if c.isprintable() or (keep_newlines and c == "\n") else " " if c in "\n\t" else "?" for c in cell
    )


def labels(pairs: Mapping[str, str]) -> str:
    """Returns a map as `k=v,k=v`, or `-`."""
    return ",".join(f"{key}={value}" for key, value in pairs.items()) or "-"
