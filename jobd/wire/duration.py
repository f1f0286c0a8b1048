"""Go-style durations (`100ms`, `10s`, `1h30m`), the notation of all durations in settings. Parses and formats them.

Source: Go documentation, `time.ParseDuration`.
"""

import re

_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_TEXT = 64
_LONGEST_S = 100 * 365 * 24 * 3600.0


def parse_duration(text: str) -> float:
    """Returns the duration in seconds: the sum of decimal numbers with a unit each; a bare `0` needs no unit.

    Accepts the same texts as Go's `time.ParseDuration`, except negative ones.

    Raises:
        ValueError: the text is no such duration, is negative, or is over a hundred years.
    """
    body = text.removeprefix("+")
    if body == "0":
        return 0.0
    if not body or len(body) > _LONGEST_TEXT:
        raise ValueError(_refusal(text))
    seconds, position = 0.0, 0
    for part in _PART.finditer(body):
        if part.start() != position:
            raise ValueError(_refusal(text))
        seconds += float(part[1]) * _UNIT_S[part[2]]
        position = part.end()
    if position != len(body):
        raise ValueError(_refusal(text))
    if seconds > _LONGEST_S:
        raise ValueError(f"{text[:_LONGEST_TEXT]!r} is longer than a hundred years")
    return seconds


def format_duration(seconds: float) -> str:
    """Returns the shortest Go-style text for `seconds`, exact to the millisecond: 90 -> `1m30s`."""
    left_ms = round(seconds * 1000)
    if left_ms < 1000:
        return f"{left_ms}ms" if left_ms else "0s"
    parts = []
    for unit, unit_ms in (("h", 3_600_000), ("m", 60_000)):
        count, left_ms = divmod(left_ms, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    if left_ms:
        parts.append(f"{left_ms / 1000:g}s" if left_ms % 1000 else f"{left_ms // 1000}s")
    return "".join(parts)


def _refusal(text: str) -> str:
    return f"{text[:_LONGEST_TEXT]!r} is not a duration such as 100ms, 10s or 1h30m"
