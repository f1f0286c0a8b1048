"""Metrics of the outbox, counted at each scrape."""

from jobd.events.delivery.dispatcher import Dispatcher
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.store.store import Store


class OutboxMetrics:
    """Sets `DeliveryMetrics.outbox` from the store and the dispatcher."""

    def __init__(self, store: Store, dispatcher: Dispatcher, deliveries: DeliveryMetrics) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._deliveries = deliveries

    async def count(self) -> None:
        """Sets the gauges to the present counts. Raises StoreError."""
        counts = await self._store.counts()
        state = self._dispatcher.state()
        self._deliveries.outbox(
            pending=counts.pending,
            in_memory=state.held,
            breakers_closed=state.breakers - state.breakers_open,
            parked=counts.parked,
            oldest_age_s=counts.oldest_pending_s,
        )
