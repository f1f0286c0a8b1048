"""What jobctl prints: text, JSON, YAML and names on stdout; notes and errors on stderr.

A terminal gets only text and colours (`terminal.py`); a pipe gets the text unchanged. JSON escapes control characters in both.
Colours need a terminal and no NO_COLOR. `drawing.py` prints tables and live displays. Every command imports this module: functions import
what only some commands need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobctl.errors import JobctlError

if TYPE_CHECKING:
    from jobctl.output.table import Rows
    from jobctl.output.terminal import ByteFilter, TerminalFilter

ANSI_STYLES = {
    "green": "32", "red": "31", "yellow": "33", "cyan": "36", "magenta": "35", "bold red": "1;31", "bold": "1", "dim": "2",
}  # fmt: skip
"""Styles of single words."""

MOST_NAMED = 10

_CONTROLS = "[\x7f-\x9f\ud800-\udfff]"
_CONTROL_BYTES = rb"\x7f|\xc2[\x80-\x9f]"
"""DEL and the C1 controls in UTF-8. JSON always escapes the other control characters."""


def plain_columns(columns: Sequence[str] | None, rows: Rows) -> str:
    """Returns rows as columns, separated by at least two blanks; no line ends with a blank."""
    from jobctl.output.table import GAP

    lines = [*([columns] if columns else []), *rows]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(len(lines[0]))] if lines else []
    return "".join(
        (" " * GAP).join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Prints each name with its value on one line, the values aligned."""
    rows = [(f"{name}:", printable(value, keep_newlines=True)) for name, value in pairs]
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, value in rows:
        text(name.ljust(width) + value.replace("\n", "\n" + " " * width) + "\n")


def tree(value: Any, format: str) -> None:
    """Prints a tree of plain values as JSON or YAML."""
    text(yaml_text(value) if format == "yaml" else json_text(value, indent=2) + "\n")


def tree_of_list(
    name: str, items: Iterable[Any], format: str, rest: Callable[[], Mapping[str, Any]] = dict
) -> None:
    """Prints `{name: [items], ...rest}` as `tree` does, and holds only one item at a time. `rest` is called after the last item."""
    empty = True
    for item in items:
        if format == "yaml":
            text(f"{name}:\n" if empty else "")
            tree([item], "yaml")
        else:
            start = f'{{\n  "{name}": [' if empty else ","
            text(f"{start}\n    " + json_text(item, indent=2).replace("\n", "\n    "))
        empty = False
    fields_after = rest()
    if format == "yaml":
        text(f"{name}: []\n" if empty else "")
        text("" if not fields_after else yaml_text(fields_after))
    else:
        text(f'{{\n  "{name}": []' if empty else "\n  ]")
        text(
            "".join(f",\n  {json_text(key)}: {json_text(value)}" for key, value in fields_after.items())
            + "\n}\n"
        )


def yaml_text(value: Any) -> str:
    """Returns a tree of plain values as YAML."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False))


def json_line(value: Any) -> None:
    """Prints one value as a line of NDJSON and flushes stdout."""
    text(json_text(value, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def json_text(value: Any, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """Returns a value as JSON with DEL, C1 controls and lone surrogates escaped, so that it cannot control a terminal."""
    import json
    import re

    plain = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return re.sub(_CONTROLS, lambda match: f"\\u{ord(match.group()):04x}", plain)


def json_bytes(encoded: bytes) -> bytes:
    """Returns the same JSON, in UTF-8, with DEL and C1 controls escaped."""
    import re

    return re.sub(_CONTROL_BYTES, lambda match: b"\\u00%02x" % match.group()[-1], encoded)


def text(what: str) -> None:
    """Prints text: to a pipe unchanged, to a terminal without control sequences other than colours. A character that UTF-8 cannot
    encode becomes a question mark.
    """
    if sys.stdout.isatty():
        from jobctl.output.terminal import filtered

        what = filtered(what, colours=_may_colour())
    sys.stdout.buffer.write(what.encode("utf-8", "replace"))


def terminal_filter(stream: Any) -> ByteFilter | None:
    """Returns the filter for a job's bytes on `stream`, or None where `stream` is no terminal."""
    if not stream.isatty():
        return None
    from jobctl.output.terminal import ByteFilter, TerminalFilter

    return ByteFilter(TerminalFilter(colours=_may_colour()))


def descriptor_filter(descriptor: int) -> TerminalFilter | None:
    """Returns the filter for text that is written to `descriptor`, or None where that is no terminal."""
    if not os.isatty(descriptor):
        return None
    from jobctl.output.terminal import TerminalFilter

    return TerminalFilter(colours=_may_colour())


def note(what: str, *, after_key: bool = False) -> None:
    """Prints a note on stderr, and ignores a terminal that is closed. `after_key`: starts a new line, since the terminal has just shown
    a key such as ^C.
    """
    try:
        if after_key and sys.stderr.isatty():
            sys.stderr.write("\n")
        sys.stderr.write(f"jobctl: {printable(what)}\n")
        sys.stderr.flush()
    except OSError:
        pass


def error(what: JobctlError, *, as_json: bool) -> None:
    """Prints an error on stderr: its field, message and hint."""
    if as_json:
        parts = {"error": what.message, "code": what.code, "field": what.field, "hint": what.hint}
        sys.stderr.write(json_text({k: v for k, v in parts.items() if v is not None}) + "\n")
        return
    # A flag at the beginning names the field already.
    named = f"{what.field}:" in what.message or what.message.startswith("--")
    where = f"{what.field}: " if what.field and not named else ""
    note(f"{where}{what.message}")
    if what.hint:
        note(f"  {what.hint}")


def ids(name: str, done: Sequence[object], format: str) -> None:
    """Prints ids, one a line, or as a tree under `name`."""
    if format in ("json", "yaml"):
        tree({name: list(done)}, format)
    else:
        text("".join(f"{each}\n" for each in done))


@contextmanager
def noting_interrupt(what: str, done: Sequence[object]) -> Iterator[None]:
    """Inside the block, a Ctrl-C says for which ids the command has done its work."""
    try:
        yield
    except KeyboardInterrupt:
        if done:
            more = f" and {len(done) - MOST_NAMED} more" if len(done) > MOST_NAMED else ""
            note(f"{what} before Ctrl-C: {', '.join(map(str, done[:MOST_NAMED]))}{more}", after_key=True)
        raise


def fail(failures: Sequence[JobctlError], *, as_json: bool) -> None:
    """Prints all failures but the first, then raises the first one."""
    for failure in failures[1:]:
        error(failure, as_json=as_json)
    if failures:
        raise failures[0]


def coloured() -> bool:
    """True where stdout may have colours."""
    return sys.stdout.isatty() and _may_colour()


def _may_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(what: str, style: str) -> str:
    """Returns a text in one of `ANSI_STYLES` where stdout may have colours, else unchanged."""
    return f"\x1b[{ANSI_STYLES[style]}m{what}\x1b[0m" if coloured() else what


def can_animate(*, on_stderr: bool = False) -> bool:
    """True on a terminal that can move its cursor, as live displays need."""
    stream = sys.stderr if on_stderr else sys.stdout
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def bar(done: int, total: int | None, width: int = 24) -> str:
    """Returns a progress bar in plain characters; empty where the total is unknown."""
    if not total:
        return ""
    filled = min(width, width * done // total)
    return "[" + "#" * filled + "." * (width - filled) + "]"


def printable(cell: str, *, keep_newlines: bool = False) -> str:
    """Returns a text of a job or daemon without control characters."""
    if cell.isprintable():
        return cell
    return "".join(
        c if c.isprintable() or (keep_newlines and c == "\n") else " " if c in "\n\t" else "?" for c in cell
    )


def labels(pairs: Mapping[str, str]) -> str:
    """Returns a map as `k=v,k=v`, or `-`."""
    return ",".join(f"{key}={value}" for key, value in pairs.items()) or "-"
