"""The outbox in the store: pending deliveries for the dispatcher, their results, and all deliveries for the API."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from jobd.clock import Clock
from jobd.store.stores.connections import Connections
from jobd.store.tables import observed_time, outbox, settling
from jobd.store.tables.delivery_rows import Delivery, DestinationDue, Due, Settled, Settlement

SAVE_MS = 1000
"""A settlement stores the observed time if it was not stored for so long: after a power failure a stored due time is ahead of the clock
by no more.
"""


class OutboxStore(Connections):
    """Reads and writes deliveries. `JobStore.commit` enqueues them."""

    _clock: Clock
    _saved_ms = 0

    def observed_ms(self) -> int:
        """Returns the observed time in milliseconds, by which deliveries are due: nobody can set this clock."""
        return self._observed.now_ms()

    async def deliveries(self, uid: str, after: int, limit: int) -> list[Delivery]:
        """Returns the deliveries of a job with an id above `after`, oldest first."""
        return await self._reader.read(partial(outbox.deliveries, uid=uid, after=after, limit=limit))

    async def delivery(self, delivery_id: int) -> Delivery | None:
        """Returns one delivery."""
        return await self._reader.read(partial(outbox.delivery, delivery_id=delivery_id))

    async def destinations(self, after: str, limit: int) -> list[DestinationDue]:
        """Returns the destinations with pending deliveries, by name, after the name `after`."""
        return await self._reader.read(partial(outbox.destinations, after=after, limit=limit))

    async def due(self, destination: str, limit: int, ahead: int = 0) -> list[Due]:
        """Returns the first pending delivery of each job of a destination, also those due later, in the order of their due times;
        each with up to `ahead` of the job's following deliveries.
        """
        return await self._reader.read(partial(outbox.due, destination=destination, limit=limit, ahead=ahead))

    async def due_of(self, uids: Sequence[str], ahead: int = 0) -> list[Due]:
        """Returns the first pending delivery of each of these jobs, with up to `ahead` of the job's following deliveries."""
        return await self._reader.read(partial(outbox.due_of, uids=uids, ahead=ahead))

    async def delivery_body(self, delivery_id: int) -> bytes | None:
        """Returns the body to send, None where the delivery no longer exists."""
        return await self._reader.read(partial(outbox.body, delivery_id=delivery_id))

    async def delivery_run(self, delivery_id: int, limit: int, max_bytes: int) -> list[Due]:
        """Returns a pending delivery and the job's following ones, in order, each with its body: up to `limit` and `max_bytes`, and
        at least the first one. Empty where the delivery is not pending.
        """
        return await self._reader.read(
            partial(outbox.run, delivery_id=delivery_id, limit=limit, max_bytes=max_bytes)
        )

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Records the results of deliveries in one commit; returns for each one the job's next due delivery."""
        now_ms = self._observed.now_ms()
        save = now_ms - self._saved_ms >= SAVE_MS

        def write(connection: sqlite3.Connection) -> list[Settled]:
            if save:
                observed_time.save(connection, now_ms, self._clock)
            return settling.settle(connection, settlements, now_ms)

        settled = await self._writer.write(write)
        if save:
            self._saved_ms = now_ms
        return settled

    async def expired_jobs(self, destination: str, age_s: float, untried_s: float, limit: int) -> list[str]:
        """Returns the uids of jobs of a destination whose first pending delivery is older than `age_s` seconds of observed time, in the
        order of their due times, without deliveries that were replayed less than `untried_s` seconds ago and not tried since.
        """
        before_ms, untried_since_ms = self._age_to_ms(age_s), self._age_to_ms(untried_s)
        return await self._reader.read(
            lambda connection: outbox.expired_jobs(
                connection, destination, before_ms, untried_since_ms, limit
            )
        )

    async def expire_deliveries(
        self,
        uids: Sequence[str],
        age_s: float,
        untried_s: float,
        at: datetime,
        error: str,
        limit: int,
    ) -> int:
        """Parks the first pending deliveries of these jobs that are older than `age_s`, at most `limit` in one commit; returns their
        number. Skips jobs that `expired_jobs` would not return now. Safe to repeat.
        """
        before_ms, untried_since_ms = self._age_to_ms(age_s), self._age_to_ms(untried_s)
        now_ms = self._observed.now_ms()
        return await self._writer.write(
            lambda connection: settling.expire(
                connection, uids, before_ms, untried_since_ms, at, error, limit, now_ms
            )
        )

    async def replay(self, delivery_id: int, at: datetime) -> Delivery | None:
        """Makes a delivery pending and due again, whatever its state. None where it does not exist."""
        now_ms = self._observed.now_ms()
        return await self._writer.write(
            lambda connection: settling.replay(connection, delivery_id, at, now_ms)
        )

    async def replay_all(self, uid: str, at: datetime) -> int:
        """Makes all parked and abandoned deliveries of a job pending again; returns their number."""
        now_ms = self._observed.now_ms()
        return await self._writer.write(lambda connection: settling.replay_all(connection, uid, at, now_ms))
