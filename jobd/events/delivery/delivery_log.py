"""Logs and counts the results of deliveries and the breakers' changes. Decides nothing."""

import logging
from collections.abc import Sequence

from jobd.events.delivery.answered import Answered
from jobd.events.delivery.observer import DeliveryObserver
from jobd.events.delivery.policies.breaker import State
from jobd.store.tables.delivery_rows import Settled

log = logging.getLogger(__name__)


class DeliveryLog:
    """Writes log lines and calls the observer."""

    def __init__(self, observer: DeliveryObserver) -> None:
        self._observer = observer

    def settled(self, answered: Answered, settled: Sequence[Settled]) -> None:
        """The settlements of one request are stored; `settled` has the store's result for each."""
        if answered.answer is None or not answered.settlements:
            return
        for created_at, settlement in zip(answered.created, answered.settlements, strict=True):
            if settlement.outcome == "delivered":
                self._observer.delivered(max(0.0, (settlement.at - created_at).total_seconds()))
                continue
            status = answered.answer.status
            kind = f"{status // 100}xx" if status else answered.answer.kind
            if settlement.outcome == "retry":
                self._observer.retried(kind)
                continue
            self._observer.failed(kind)
            if settlement.outcome == "requeue":
                self._observer.requeued()
            elif settlement.outcome == "park":
                self._observer.dropped("parked", 1)
        first = answered.settlements[0]
        if first.outcome == "abandon":
            self._observer.dropped("abandoned", max(1, sum(one.abandoned for one in settled)))
        if first.outcome not in ("delivered", "retry"):
            fields = {
                "job_id": answered.job_id,
                "delivery_id": answered.id,
                "destination": answered.destination,
                "count": len(answered.settlements),
            }
            log.warning(
                "events were not delivered", extra={"action": first.outcome, **fields, "error": first.error}
            )

    def expired(self, destination: str, count: int) -> None:
        """Deliveries were parked for their age: their host stays down."""
        self._observer.dropped("parked", count)
        log.info("deliveries expired", extra={"action": "expire", "destination": destination, "count": count})

    def breaker_changed(self, destination: str, state: State) -> None:
        """A breaker is `open`, `half-open` or `closed` now."""
        log.info("breaker changed", extra={"action": "breaker", "destination": destination, "state": state})
        self._observer.breaker_changed(destination, state)
