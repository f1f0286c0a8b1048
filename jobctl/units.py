"""Amounts with units: parses and prints memory, durations, times, ages and sizes. Pure; the time is an argument."""

import math
import re
from datetime import UTC, datetime, timedelta

from jobd.wire.duration import parse_duration

_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)\s*([bkmg])(?:i?b)?$", re.IGNORECASE | re.ASCII)
_UNIT_BYTES = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"^(\d{1,19}(?:\.\d{1,9})?)\s*(?:([kmgt]?)(?:i?b)?)$", re.IGNORECASE | re.ASCII)
_SIZE_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_MIB = 1 << 20
_DAYS = re.compile(r"(?:(?P<weeks>\d{1,9}(?:\.\d{1,9})?)w)?(?:(?P<days>\d{1,9}(?:\.\d{1,9})?)d)?", re.ASCII)
"""Weeks and days come first, as in 1w2d12h."""
_DAY_S = 86400.0
_LONGEST_S = 100 * 365 * _DAY_S


def memory_mb(text: str) -> int:
    """Returns the MiB, rounded up, of an amount with its unit: 512m -> 512, 1.5g -> 1536, 1k -> 1.

    Raises:
        ValueError: the text has no number or no unit (b, k, m or g), or the amount is 0.
    """
    match = _MEMORY.match(text.strip())
    if match is None:
        if re.fullmatch(r"\d+(\.\d+)?", text.strip()):
            raise ValueError(f"{text!r} needs a unit: {text.strip()}m for MiB, {text.strip()}g for GiB")
        raise ValueError(f"{text!r} is not an amount of memory such as 512m or 2g")
    amount = float(match[1]) * _UNIT_BYTES[match[2].lower()]
    if not 0 < amount < 1 << 60:
        raise ValueError(f"{text!r} is not an amount of memory that a job can have")
    return math.ceil(amount / _MIB)


def cores(text: str) -> float:
    """Returns a number of cores such as 0.5 or 2.

    Raises:
        ValueError: the text is no number, or not more than 0.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError("must be more than 0, for instance 0.5 or 2")
    return number


def size_bytes(text: str) -> int:
    """Returns the bytes of a size such as 500m, 20g, 1.5t; a bare number is bytes.

    Raises:
        ValueError: the text is no size.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 500m, 20g or 2t")
    return int(float(match[1]) * (1 << _SIZE_SHIFTS[match[2].lower()]))


def whole_seconds(text: str) -> int:
    """Returns the seconds, rounded up, of a duration such as 90s, 1h30m or 2d; a bare number is seconds.

    Raises:
        ValueError: the text is neither, or the duration is 0.
    """
    seconds = math.ceil(seconds_of(text))
    if seconds <= 0:
        raise ValueError(f"{text!r} must be more than 0")
    return seconds


def seconds_of(text: str) -> float:
    """Returns the seconds of a duration such as 100ms, 90s, 1h30m, 7d or 2w; a bare number is seconds.

    Raises:
        ValueError: the text is neither.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return parse_duration(text + "s")
    days = _DAYS.match(text)
    if days is None or not days.group():
        return _rest_of(text, text)
    seconds = float(days["weeks"] or 0) * 7 * _DAY_S + float(days["days"] or 0) * _DAY_S
    rest = text[days.end() :]
    seconds += _rest_of(rest, text) if rest else 0.0
    if seconds > _LONGEST_S:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def _rest_of(rest: str, whole: str) -> float:
    try:
        return parse_duration(rest)
    except ValueError as error:
        if "hundred years" in str(error):
            raise
        raise ValueError(f"{whole[:64]!r} is not a duration such as 90s, 1h30m, 7d or 2w") from None


def time_before(text: str, now: datetime) -> datetime:
    """Returns the time that --since names: a duration before `now`, or an RFC 3339 time, in UTC where it has no zone.

    Raises:
        ValueError: the text is neither.
    """
    try:
        return now - timedelta(seconds=seconds_of(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a duration such as 10m nor a time such as 2030-01-31T08:00:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_time(text: str | None) -> datetime | None:
    """Returns the aware time of an RFC 3339 text, or None where the text is no time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(text: str | None, now: datetime) -> str:
    """Returns the age of an RFC 3339 time: 5s, 3m, 2h, 4d; `-` where the text is no time."""
    moment = parse_time(text)
    return "-" if moment is None else short_duration((now - moment).total_seconds())


def short_duration(seconds: float) -> str:
    """Returns a duration in its one or two largest units: 0.4s, 12s, 3m20s, 5h10m, 4d."""
    if seconds < 0:
        seconds = 0.0
    if seconds < 10:
        return f"{int(seconds * 10) / 10:g}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s" if whole < 600 and whole % 60 else f"{whole // 60}m"
    if whole < 86400:
        minutes = whole % 3600 // 60
        return f"{whole // 3600}h{minutes}m" if minutes else f"{whole // 3600}h"
    return f"{whole // 86400}d"


def bytes_text(count: int) -> str:
    """Returns a size with a unit: 512 B, 1.5 MiB."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
