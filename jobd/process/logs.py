"""Structured logging: a constant message with fields. Text on a terminal, JSON elsewhere, or as LOG_FORMAT says.

Owns the format. Callers never pass an environment, a key or a URL's query as a field.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jobd.process.log_file import LogFile

LEVEL_WIDTH = 5
MESSAGE_WIDTH = 32
"""The minimum width of a message before its fields."""
_LEVEL_NAMES = {
    logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARN", logging.ERROR: "ERROR", logging.CRITICAL: "FATAL",
}  # fmt: skip
_COLOURS = ((logging.ERROR, 31), (logging.WARNING, 33), (logging.INFO, 32), (0, 2))
"""The lowest level of each colour: red, yellow, green, dim."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["exception"] = "".join(traceback.format_exception(*record.exc_info)).strip()
        return json.dumps(entry, default=str)


class TextFormatter(logging.Formatter):
    """One line for people: local time, level, message, then key=value, in columns. `colours`: colours the level."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; a traceback follows on lines of its own."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = f"{_LEVEL_NAMES.get(record.levelno, record.levelname):<{LEVEL_WIDTH}}"
        if self._colours:
            name = level.rstrip()
            level = f"\x1b[{_level_colour(record.levelno)}m{name}\x1b[0m{level[len(name) :]}"
        fields = " ".join(f"{key}={_field_text(value)}" for key, value in fields_of(record).items())
        message = _harmless(record.getMessage())
        line = f"{time}  {level}  {f'{message:<{MESSAGE_WIDTH}}  {fields}' if fields else message}"
        if record.exc_info:
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            line += "\n" + "\n".join(map(_harmless, trace.split("\n")))
        return line


def _level_colour(level: int) -> int:
    return next((colour for least, colour in _COLOURS if level >= least), 0)


def _field_text(value: object) -> str:
    """Returns a plain word unchanged, any other value as JSON: quoted, without control characters."""
    text = str(value)
    return text if text and text.isprintable() and not set(' "=') & set(text) else json.dumps(text)


def _harmless(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Returns the fields that were passed as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def set_up(level: str, format: str = "auto", file: LogFile | None = None) -> None:
    """Sends all logging to `file`, or without one to stderr. `format`: json, text, or auto for text where stderr is a terminal and JSON
    elsewhere. May be called again.
    """
    is_terminal = file is None and sys.stderr.isatty()
    handler: logging.Handler = logging.StreamHandler(sys.stderr if file is None else file)
    handler.setFormatter(formatter(format, is_terminal=is_terminal, environ=os.environ))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # aiohttp answers invalid HTTP with 400 and logs a traceback: any client could flood the log.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("docker").setLevel(logging.WARNING)


def formatter(format: str, *, is_terminal: bool, environ: Mapping[str, str]) -> logging.Formatter:
    """Returns the formatter. Colours need a terminal that supports them, and no NO_COLOR."""
    if format == "json" or (format == "auto" and not is_terminal):
        return JsonFormatter()
    colours = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return TextFormatter(colours=colours)
