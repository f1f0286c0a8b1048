r"""A file of variables, one a line, as shells and docker write it: `NAME=VALUE`, `NAME`, `export NAME=VALUE`, quotes, comments.

Pure. A value without quotes is taken as it is, `#` and blanks included, as docker does. Between single quotes everything is taken as it
is; between double quotes `\n`, `\t`, `\r`, `\"`, `\\`, `\$` and `` \` `` are escapes. Nothing is expanded. A value ends with its line.
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
    """Yields each variable's name and value; None: the line names it alone, and it has the caller's value.

    Raises:
        Misuse: a line without a name, a quote that is not closed, or text behind one; the file's name and line are in the message.
    """
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.lstrip()
        if not entry or entry.startswith("#"):
            continue
        at = f"{source}:{number}"
        if found := _EXPORT.match(entry):
            entry = entry[found.end() :]
        name, equals, value = entry.partition("=")
        if not equals:
            name = name.rstrip()
        check_name(name, entry, at)
        yield name, _value(value, at) if equals else None


def check_name(name: str, entry: str, at: str) -> None:
    """Raises Misuse where an entry does not name a variable."""
    if not name or any(c.isspace() for c in name):
        raise Misuse(f"{at}: {entry!r} does not name a variable; use NAME=VALUE or NAME", field="environment")


def _value(text: str, at: str) -> str:
    if text[:1] not in ("'", '"'):
        return text
    found = (_DOUBLE if text[0] == '"' else _SINGLE).match(text)
    if found is None:
        raise Misuse(
            f"{at}: the quote {text[0]} is not closed; a value ends with its line", field="environment"
        )
    if not _AFTER.match(text, found.end()):
        raise Misuse(
            f"{at}: after the closing {text[0]} nothing may follow but a comment", field="environment"
        )
    if text[0] == "'":
        return found[1]
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), found[1])
