"""Metrics of the outbox, counted at each scrape."""

from datetime import timedelta

from jobd.clock import Clock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.store.store import Store


class OutboxMetrics:
    """Sets `DeliveryMetrics.outbox` from the store and the dispatcher."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, clock: Clock, deliveries: DeliveryMetrics
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._deliveries = deliveries

    async def count(self) -> None:
        """Sets the gauges to the present counts. Raises StoreError."""
        counts = await self._store.counts()
        age = self._clock.now() - counts.oldest_pending_at if counts.oldest_pending_at else timedelta()
        state = self._dispatcher.state()
        self._deliveries.outbox(
            pending=counts.pending,
            in_memory=state.held,
            breakers_closed=state.breakers - state.breakers_open,
            parked=counts.parked,
            oldest_age_s=max(0.0, age / timedelta(seconds=1)),
        )
