"""Counting tries and rounds: what a verdict makes of one delivery.

Pure. A round is a first try and `max_retries` more; after it comes a pause and a new round, `max_requeues` times; then the
delivery is parked.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from jobd.events.delivery.backoff import FullJitter
from jobd.events.delivery.response_policy import Abandon, Answer, Decision, Delivered, Park
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.tables.rows import Due, Settlement


class RetryPolicy:
    """The counting under one set of settings. `spread` gives numbers in [0, 1)."""

    def __init__(self, settings: DispatcherSettings, spread: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._spread = spread
        self._backoff = FullJitter(
            settings.max_retries, settings.initial_backoff_s, settings.max_backoff_s, spread
        )

    def settlement(
        self,
        due: Due,
        answer: Answer,
        decision: Decision,
        now: datetime,
        *,
        follow: bool = True,
        ahead: int = 0,
    ) -> Settlement:
        """Returns what is to be kept of a delivery that was answered so. `follow`, `ahead`: as `Settlement` has them."""
        status = answer.status
        if isinstance(decision, Delivered):
            return Settlement(due.id, "delivered", now, status=status, follow=follow, ahead=ahead)
        if isinstance(decision, Abandon):
            return Settlement(due.id, "abandon", now, status=status, error=decision.reason)
        if isinstance(decision, Park):
            sent = answer.kind not in ("refused", "invalid")
            reason = decision.reason
            return Settlement(due.id, "park", now, None, status, reason, sent, follow=follow, ahead=ahead)
        asked_s = decision.after_s or 0.0
        if due.tries < self._settings.max_retries:
            again = now + timedelta(seconds=max(asked_s, self._backoff.get_timeout(due.tries)))
            return Settlement(due.id, "retry", now, again, status, decision.reason)
        if due.requeues < self._settings.max_requeues:
            pause_s = self._settings.breaker_cooldown_s * (1 + self._spread() / 4)
            again = now + timedelta(seconds=max(asked_s, pause_s))
            return Settlement(due.id, "requeue", now, again, status, decision.reason)
        reason = f"gave up after {due.requeues + 1} rounds: {decision.reason}"
        return Settlement(due.id, "park", now, status=status, error=reason, follow=follow, ahead=ahead)
