"""What the log and the metrics hear of deliveries that are on record.

Owns the words. Decides nothing.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from jobd.events.delivery.observer import DeliveryObserver
from jobd.events.delivery.response_policy import Answer
from jobd.events.delivery.unrecorded import Unrecorded
from jobd.store.tables.rows import Settled, Settlement

log = logging.getLogger(__name__)


def tell(
    observer: DeliveryObserver,
    first: Unrecorded,
    created: Sequence[datetime],
    answer: Answer,
    settlements: Sequence[Settlement],
    settled: Sequence[Settled],
) -> None:
    """Tells of one request's deliveries: the first one, when the event of each was created, and the settlement of each; `settled`
    is what the store made of them.
    """
    for created_at, settlement in zip(created, settlements, strict=True):
        if settlement.outcome == "delivered":
            observer.delivered(max(0.0, (settlement.at - created_at).total_seconds()))
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
        fields = {
            "job_id": first.job_id,
            "delivery_id": first.id,
            "lane": first.destination,
            "count": len(created),
        }
        log.warning(
            "events were not delivered",
            extra={"action": settlements[0].outcome, **fields, "error": settlements[0].error},
        )
