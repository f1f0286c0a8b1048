"""Delays between tries, Retry-After, and URLs without secrets. Pure: the time and the random share are arguments.

Source: RFC 9110, "Retry-After".
"""

import email.utils
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Pace:
    """Time limits of single steps and delays between tries, in seconds."""

    connect_s: float = 30
    stall_s: float = 60
    settle_s: float = 1
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 10
    longest_retry_after_s: float = 60


def safe_url(url: str) -> str:
    """Returns a URL without user name, password, query and fragment, which may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "(a URL that cannot be read)"
    return urlunsplit((parts.scheme, (f"[{host}]" if ":" in host else host) + port, parts.path, "", ""))


def backoff_s(pace: Pace, failures: int, asked_s: float | None, share: float) -> float:
    """Returns the delay after `failures` tries: the server's request within limits, else a share (0 to 1) of a window that doubles
    each time.
    """
    if asked_s is not None:
        return min(max(asked_s, 0.0), pace.longest_retry_after_s)
    return share * min(pace.longest_backoff_s, pace.first_backoff_s * 2.0 ** min(failures - 1, 30))


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Returns the seconds of a Retry-After header, which has seconds or a date; None where the header is invalid."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return None
