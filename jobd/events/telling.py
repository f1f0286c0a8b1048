"""What the log and the metrics hear of deliveries that are on record.

Owns the words. Decides nothing.
"""

import logging
from collections.abc import Sequence

from jobd.events.observer import DeliveryObserver
from jobd.events.verdict import Answer
from jobd.store.rows import Due, Settled, Settlement

log = logging.getLogger(__name__)


def tell(
    observer: DeliveryObserver,
    run: Sequence[Due],
    answer: Answer,
    settlements: Sequence[Settlement],
    settled: Sequence[Settled],
) -> None:
    """Tells of one request's deliveries, each with its settlement; `settled` is what the store made of them."""
    for due, settlement in zip(run, settlements, strict=True):
        if settlement.outcome == "delivered":
            observer.delivered(max(0.0, (settlement.at - due.created_at).total_seconds()))
            continue
        kind = f"{answer.status // 100}xx" if answer.status else answer.kind
        if settlement.outcome == "retry":
            observer.retried(kind)
            continue
        observer.failed(kind)
        if settlement.outcome == "requeue":
            observer.requeued()
        elif settlement.outcome == "park":
            observer.dropped("parked", 1)
    if settlements[0].outcome == "abandon":
        observer.dropped("abandoned", max(1, sum(one.abandoned for one in settled)))
    if settlements[0].outcome not in ("delivered", "retry"):
        first = run[0]
        fields = {"job_id": first.job_id, "delivery_id": first.id, "lane": first.lane, "count": len(run)}
        log.warning(
            "events were not delivered",
            extra={"action": settlements[0].outcome, **fields, "error": settlements[0].error},
        )
