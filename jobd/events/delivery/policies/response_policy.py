"""Maps a receiver's answer to a decision: delivered, a failed try, parked, or the end of this callback.

Pure. Owns the rules about answers; `retry_policy.py` decides whether and when a failed try is repeated.

Source: docs/events.md, "What an answer means"; RFC 9110, 10.2.3 (Retry-After); Standard Webhooks 1.0 (410).
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from jobd.events.delivery.policies.breaker import Host

Kind = Literal["answer", "network", "timeout", "local", "refused", "invalid"]


class Answer(msgspec.Struct, frozen=True):
    """The result of one request. `status` and `retry_after` (as sent) only for the kind `answer`.

    `network` and `timeout`: no complete answer. `local`: this machine lacks descriptors or ports for a request.
    `refused`: the egress policy forbids the address; nothing was sent. `invalid`: the stored values form no valid request.
    `text`: the reason, for people.
    """

    kind: Kind
    status: int | None = None
    retry_after: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has accepted the event."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The try has failed. `after_s`: the shortest wait that the receiver requests."""

    after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Another try does not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """The receiver wants no more events of this job."""

    reason: str


Decision = Delivered | Retry | Park | Abandon

_DELIVERED = Delivered()

_RETRIED = frozenset({408, 425, 429})
"""The statuses below 500 after which a receiver may accept the same event later."""


def decide(answer: Answer, now: datetime, longest_s: float) -> Decision:
    """Returns the decision on an answer. `longest_s` bounds the wait that a receiver may request."""
    status = answer.status
    if status is None:
        if answer.kind in ("refused", "invalid"):
            return Park(answer.text or answer.kind)
        return Retry(None, answer.text or answer.kind)
    if 200 <= status < 300:
        return _DELIVERED
    reason = f"HTTP {status}" + (f": {answer.text}" if answer.text else "")
    if status == 410:
        return Abandon(reason)
    if status in _RETRIED or status >= 500:
        return Retry(retry_after_s(answer.retry_after, now, longest_s), reason)
    if 300 <= status < 400:
        return Retry(None, reason + " (redirects are not followed)")
    if status < 200:
        return Retry(None, reason)
    return Park(reason)


def refuses_batch(answer: Answer) -> bool:
    """True if the answer to a batch would park all its events: the receiver may refuse batches, or one event."""
    status = answer.status
    return status is not None and 400 <= status < 500 and status != 410 and status not in _RETRIED


def host_after(answer: Answer) -> Host:
    """Returns the host's state after an answer, for its breaker: down on network errors, timeouts, 5xx and 429."""
    if answer.status is None:
        return "down" if answer.kind in ("network", "timeout") else "unknown"
    return "down" if answer.status >= 500 or answer.status == 429 else "up"


def retry_after_s(text: str | None, now: datetime, longest_s: float) -> float | None:
    """Returns the seconds of `Retry-After`, from 0 to `longest_s`; None if the header is absent or unreadable."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return longest_s if len(text) > 12 else min(float(text), longest_s)
    try:
        retry_at = parsedate_to_datetime(text)
        if retry_at.tzinfo is None:
            retry_at = retry_at.replace(tzinfo=now.tzinfo)  # "-0000" in the header means UTC too
        return min(max((retry_at - now).total_seconds(), 0.0), longest_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
