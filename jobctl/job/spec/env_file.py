r"""Parses a file of variables, one a line, as shells and docker write it: `NAME=VALUE`, `NAME`, `export NAME=VALUE`, quotes, comments.

Pure. A value without quotes is literal, including `#` and blanks, as in docker. A single-quoted value is literal; in double quotes
`\n`, `\t`, `\r`, `\"`, `\\`, `\$` and `` \` `` are escapes. Variables are not expanded. A value ends on its line.
"""

import re
from collections.abc import Iterator

from jobctl.errors import Misuse

_EXPORT = re.compile(r"export[ \t]+(?=\S)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$", "`": "`"}
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'([^']*)'")
_AFTER = re.compile(r"[ \t]*(?:[ \t]#.*)?\Z")


def entries(text: str, source: str) -> Iterator[tuple[str, str | None]]:
    """Yields each variable's name and value; None: the line has no value, so the caller's own value applies.

    Raises:
        Misuse: a line has no name, an unclosed quote, or text after a closing quote; the message has the file's name and line.
    """
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.lstrip()
        if not entry or entry.startswith("#"):
            continue
        at = f"{source}:{number}"
        if export := _EXPORT.match(entry):
            entry = entry[export.end() :]
        name, equals, value = entry.partition("=")
        if not equals:
            name = name.rstrip()
        check_name(name, entry, at)
        yield name, _value(value, at) if equals else None


def check_name(name: str, entry: str, at: str) -> None:
    """Raises Misuse where `name` is no name of a variable."""
    if not name or any(c.isspace() for c in name):
        raise Misuse(f"{at}: {entry!r} does not name a variable; use NAME=VALUE or NAME", field="environment")


def _value(text: str, at: str) -> str:
    if text[:1] not in ("'", '"'):
        return text
    quoted = (_DOUBLE if text[0] == '"' else _SINGLE).match(text)
    if quoted is None:
        raise Misuse(
            f"{at}: the quote {text[0]} is not closed; a value must end on its line", field="environment"
        )
    if not _AFTER.match(text, quoted.end()):
        raise Misuse(f"{at}: only a comment may follow the closing {text[0]}", field="environment")
    if text[0] == "'":
        return quoted[1]
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), quoted[1])
