"""When a delivery is retried and when it is parked: retries with full jitter, then requeues, then parked.

No other module decides on a retry. Pure. `response_policy.py` decides which answers count as a failed try; the settler stores
the settlement, and the outbox poller reads the delivery again when it is due.

    failed try, tries < max_retries      retry    after `backoff_s`
    else, requeues < max_requeues        requeue  after the breaker's cool-down and up to a quarter more; tries count from 0 again
    else                                 park     until a user replays the delivery

`Retry-After` only makes a wait longer.

Source: "Exponential Backoff and Jitter", AWS Architecture Blog.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil

from jobd.events.delivery.policies.response_policy import Abandon, Answer, Decision, Delivered, Park
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.tables.delivery_rows import Due, Outcome, Settlement

_LARGEST_POWER = 60
"""2.0 to a much larger power overflows a float."""

Spread = Callable[[], float]
"""Gives numbers in [0, 1), as `random.random` does."""


def backoff_bound_s(tries: int, settings: DispatcherSettings) -> float:
    """Returns the longest wait after try number `tries`, counted from 0: the bound doubles up to `max_backoff_s`."""
    return min(settings.max_backoff_s, settings.initial_backoff_s * 2.0 ** min(tries, _LARGEST_POWER))


def backoff_s(tries: int, settings: DispatcherSettings, spread: Spread) -> float:
    """Returns the wait after try number `tries`, counted from 0: uniform between 0 and its bound (full jitter)."""
    return spread() * backoff_bound_s(tries, settings)


def settlement(
    due: Due,
    answer: Answer,
    decision: Decision,
    now: datetime,
    now_ms: int,
    settings: DispatcherSettings,
    spread: Spread,
    *,
    follow: bool = True,
    ahead: int = 0,
) -> Settlement:
    """Returns the settlement of a delivery after `decision`. `now`, `now_ms`: wall clock and observed time. `follow`, `ahead`: as in
    `Settlement`.
    """
    status = answer.status
    if isinstance(decision, Delivered):
        return Settlement(due.id, "delivered", now, status=status, follow=follow, ahead=ahead)
    if isinstance(decision, Abandon):
        return Settlement(due.id, "abandon", now, status=status, error=decision.reason)
    if isinstance(decision, Park):
        sent, reason = answer.kind not in ("refused", "invalid"), decision.reason
        return Settlement(due.id, "park", now, None, status, reason, sent, follow=follow, ahead=ahead)
    asked_s = decision.after_s or 0.0
    if due.tries < settings.max_retries:
        wait_s = max(asked_s, backoff_s(due.tries, settings, spread))
        return _again("retry", due, now, now_ms, wait_s, status, decision.reason)
    if due.requeues < settings.max_requeues:
        pause_s = settings.breaker_cooldown_s * (1 + spread() / 4)
        return _again("requeue", due, now, now_ms, max(asked_s, pause_s), status, decision.reason)
    reason = f"gave up after {due.requeues + 1} rounds: {decision.reason}"
    return Settlement(due.id, "park", now, status=status, error=reason, follow=follow, ahead=ahead)


def _again(
    outcome: Outcome, due: Due, now: datetime, now_ms: int, wait_s: float, status: int | None, reason: str
) -> Settlement:
    again, again_ms = now + timedelta(seconds=wait_s), now_ms + ceil(wait_s * 1000)
    return Settlement(due.id, outcome, now, again, status, reason, next_ms=again_ms)
