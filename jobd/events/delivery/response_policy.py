"""What an answer means: delivered, again later, parked, or no more of this.

Pure. Owns the delivery rules; what follows from a verdict (counting, waiting, storing) is the dispatcher's.

Source: docs/events.md, "What an answer means"; RFC 9110, 10.2.3 (Retry-After); Standard Webhooks 1.0 (410).
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from jobd.events.delivery.breaker import Host

Kind = Literal["answer", "network", "timeout", "local", "refused", "invalid"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request. `status` and `retry_after` (as sent) only for the kind `answer`.

    `network` and `timeout`: no complete answer. `local`: this machine could not even try, for want of descriptors or ports.
    `refused`: the egress policy forbids the address; nothing was sent.
    `invalid`: the request could not be made from what is stored. `text` says it in words.
    """

    kind: Kind
    status: int | None = None
    retry_after: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Again later, at the earliest after `after_s` where the receiver said so."""

    after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Trying again does not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """The receiver wants nothing more from this callback."""

    reason: str


Decision = Delivered | Retry | Park | Abandon

_RETRIED = frozenset({408, 425, 429})


def decide(answer: Answer, now: datetime, longest_s: float) -> Decision:
    """Returns what an answer means. `longest_s` bounds the wait that a receiver may ask for."""
    status = answer.status
    if status is None:
        if answer.kind in ("refused", "invalid"):
            return Park(answer.text or answer.kind)
        return Retry(None, answer.text or answer.kind)
    reason = f"HTTP {status}" + (f": {answer.text}" if answer.text else "")
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return Abandon(reason)
    if status in _RETRIED or status >= 500:
        return Retry(retry_after_s(answer.retry_after, now, longest_s), reason)
    if 300 <= status < 400:
        return Retry(None, reason + " (redirects are not followed)")
    if status < 200:
        return Retry(None, reason)
    return Park(reason)


def host_after(answer: Answer) -> Host:
    """Returns what an answer says about the host: down on network errors, timeouts, 5xx and 429."""
    if answer.status is None:
        return "down" if answer.kind in ("network", "timeout") else "unknown"
    return "down" if answer.status >= 500 or answer.status == 429 else "up"


def retry_after_s(text: str | None, now: datetime, longest_s: float) -> float | None:
    """Returns the seconds that `Retry-After` asks for, from 0 to `longest_s`; None where it is absent or unreadable."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return longest_s if len(text) > 12 else min(float(text), longest_s)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=now.tzinfo)  # "-0000" in the header: it is UTC all the same
        return min(max((moment - now).total_seconds(), 0.0), longest_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
