"""Reads ordinary command lines: known commands, flags and values, without help, errors or conversions that can fail.

Importing typer costs more than all else that a short command does. `parameter_table.py` is generated from typer's parameters, and this
parser gives a command the same values as typer. Where a command line is anything but ordinary, `parse` returns None, and `parser.py`
reads the command line from its beginning. `tests/unit/jobctl/test_plain_parser.py` compares both.
"""

from collections.abc import Sequence
from typing import Any

from jobctl.command_table import ALIASES, DEFAULT, PRESET_FORMATS, PRESETS, module_of
from jobctl.connection.session import FORMATS, Session
from jobctl.parameter_table import PARAMETERS

GLOBAL_OPTIONS: dict[str, tuple[str, Any]] = {
    "--host": ("host", "text"),
    "-o": ("output", FORMATS),
    "--output": ("output", FORMATS),
    "--json": ("json", "flag"),
}
_LARGEST_DIGITS = 15


class Call:
    """A command line that was understood: the command, its arguments, and the global flags."""

    def __init__(self, typed: str, globals_: dict[str, Any], values: dict[str, Any]) -> None:
        self.name = ALIASES.get(typed, typed)
        self.values = values
        self._preset_format = PRESET_FORMATS.get(typed, "")
        self._globals = globals_

    def set_up(self, session: Session) -> None:
        """Stores the command's name and the global flags."""
        session.command = self.name
        session.preset_format = self._preset_format
        for name, value in self._globals.items():
            setattr(session, name, value)

    def run(self, session: Session) -> Any:
        """Runs the command and returns its outcome.

        Raises:
            Misuse: the command cannot print the format.
            JobctlError: the command failed.
        """
        module = module_of(self.name)
        session.check_format(module.FORMATS)
        return getattr(module, self.name.removeprefix("__"))(ctx=_Context(session), **self.values)


class _Context:
    """What a command uses of typer's context."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find_object(self, kind: type[object]) -> object:
        return self._session


class _NotPlain(Exception):
    """typer must read this command line."""


def parse(arguments: Sequence[str]) -> Call | None:
    """Returns the call, or None where `parser.py` must read the arguments."""
    rest = list(arguments)
    globals_: dict[str, Any] = {}
    try:
        _options(rest, {}, globals_, {})
        typed = rest.pop(0) if rest else DEFAULT
        name = ALIASES.get(typed, typed)
        if name not in PARAMETERS:
            return None
        options, positionals, interspersed = PARAMETERS[name]
        values: dict[str, Any] = {}
        rest[:0] = PRESETS.get(typed, ())
        words: list[str] = []
        while rest:
            _options(rest, options, globals_, values)
            if rest[:1] == ["--"]:
                del rest[0]
                break
            if not interspersed:
                break
            words += rest[:1]
            del rest[:1]
        _positionals([*words, *rest], positionals, values)
    except _NotPlain:
        return None
    return Call(typed, globals_, values)


def _options(
    rest: list[str],
    options: dict[str, tuple[str, Any]],
    globals_: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Removes the options at the beginning of `rest`, up to the first word, and stores their values."""
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        option = rest.pop(0)
        is_long = option.startswith("--")
        name, equals, attached = option.partition("=") if is_long else (option[:2], "", option[2:])
        row = options.get(name) or GLOBAL_OPTIONS.get(name)
        if row is None:
            raise _NotPlain
        target = values if name in options else globals_
        parameter, kind = row
        if kind == "flag":
            if equals or attached.startswith("-"):
                raise _NotPlain
            if attached:
                rest.insert(0, "-" + attached)  # -aq is -a -q
            target[parameter] = True
            continue
        if not (equals or attached or rest):
            raise _NotPlain
        value = attached if equals or attached else rest.pop(0)
        if kind == "texts":
            target.setdefault(parameter, []).append(value)
        else:
            target[parameter] = _converted(value, kind)


def _converted(value: str, kind: Any) -> Any:
    if kind == "text":
        return value
    digits = value.replace(".", "", 1) if kind == "number" else value
    if isinstance(kind, tuple):
        if value not in kind:
            raise _NotPlain
        return value
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LARGEST_DIGITS):
        raise _NotPlain
    return float(value) if kind == "number" else int(value)


def _positionals(
    words: list[str], positionals: tuple[tuple[str, bool, bool], ...], values: dict[str, Any]
) -> None:
    for name, required, several in positionals:
        if required and not words:
            raise _NotPlain
        if several and words:
            values[name], words = words, []
        elif words:
            values[name] = words.pop(0)
    if words:
        raise _NotPlain
