"""The queue between outbox and workers, and the one owner of the destination queues: nothing else changes them.

The outbox poller puts due deliveries in, the dispatcher's workers take them out. Owns which worker sends which delivery next, and how
many answers may wait for their commit. Knows no store, no HTTP and no rule about answers.

The states of a delivery:

    stateDiagram-v2
        [*] --> pending: its event is committed
        [*] --> abandoned: committed after a 410
        pending --> queued: put, once due and first of its job
        queued --> pending: its destination's breaker opens
        queued --> in_flight: take
        in_flight --> answered: the receiver answers, or the request fails
        answered --> delivered: 2xx
        answered --> pending: retry or requeue, due later
        answered --> parked: refused, or no try is left
        answered --> abandoned: 410
        pending --> parked: expired while its host is down
        pending --> abandoned: 410 to an earlier one of its job
        delivered --> pending: replay
        parked --> pending: replay
        abandoned --> pending: replay
        parked --> delivered: 2xx to a request from before
        abandoned --> delivered: 2xx to a request from before

A row of the outbox says pending, delivered, parked or abandoned. Queued, in flight and answered are states in memory alone: the row
says pending until the settler has written the settlement, so after a crash the delivery is sent again.
"""

import asyncio
from collections.abc import Callable

from jobd.clock import Clock, wait_for
from jobd.events.delivery.answered import Answered
from jobd.events.delivery.policies.breaker import Breaker, Breakers, Host, Ticket
from jobd.events.delivery.queues.destination_queues import DestinationQueues
from jobd.store.tables.delivery_rows import Due

UNSETTLED_PER_WORKER = 32
"""Answers per worker that may wait for their commit: beyond that nothing is sent until the store has caught up. A crash repeats at
most these.
"""

Taken = tuple[Due, tuple[Breaker, Ticket]]
"""A worker's delivery, and its breaker's permission for the request."""


class WorkQueue:
    """Created within a running loop. `breakers` decide which destinations get requests. The queue calls `wake_workers` when `take`
    may return a delivery again.
    """

    def __init__(
        self, queues: DestinationQueues, breakers: Breakers, clock: Clock, wake_workers: Callable[[], None]
    ) -> None:
        self._queues = queues
        self._breakers = breakers
        self._clock = clock
        self._wake_workers = wake_workers
        self._released: set[str] = set()
        self._unsettled = 0
        self.most_unsettled = UNSETTLED_PER_WORKER * queues.workers
        """Beyond this number of answers without a commit nothing is sent."""
        self._all_settled = asyncio.Event()
        self._all_settled.set()
        self._draining = False

    # Below: called by the outbox poller.

    def put(self, due: Due) -> bool:
        """Queues a delivery. False if its job is in memory already or there is no room."""
        if not self._queues.hold(due):
            return False
        self._wake_workers()
        return True

    def holds(self, job_uid: str) -> bool:
        """True while a delivery of this job is queued, in flight or answered."""
        return self._queues.holds(job_uid)

    def held(self, destination: str) -> int:
        """How many jobs of one destination are in memory."""
        return self._queues.held(destination)

    def may_load(self, destination: str) -> bool:
        """True if more should be loaded for this destination: there is room, and its breaker admits requests."""
        return self._queues.wants(destination) and self._breakers.admits(destination, self._clock.monotonic())

    def load_limit(self, destination: str) -> int:
        """How many first deliveries of jobs to read: those in memory, those that fit, and one more that shows whether others wait."""
        return self._queues.held(destination) + self._queues.room(destination) + 1

    @property
    def capacity(self) -> int:
        """How many deliveries may be in memory."""
        return self._queues.capacity

    @property
    def is_nearly_full(self) -> bool:
        """True if the last job that left the memory may have made the first room for another."""
        return self._queues.is_nearly_full

    def begin_read(self) -> None:
        """A read of the outbox begins: `was_released` counts from now on."""
        self._released.clear()

    def was_released(self, job_uid: str) -> bool:
        """True if the job left the memory since `begin_read`: the read of this job is out of date."""
        return job_uid in self._released

    # Below: called by the dispatcher.

    def take(self) -> Taken | None:
        """Takes the next delivery for a worker. None if no delivery may be sent now."""
        if self._draining or self._unsettled >= self.most_unsettled:
            return None
        now = self._clock.monotonic()
        due = self._queues.pick(lambda destination: self._breakers.admits(destination, now))
        if due is None:
            return None
        self._unsettled += 1
        self._all_settled.clear()
        return due, self._breakers.take(due.destination, now)

    def wake_workers(self) -> None:
        """Lets the workers take the deliveries that may be sent now. Also needed when time has passed: a cool-down may be over."""
        self._wake_workers()

    def answered(self, taken: Taken, host: Host) -> bool:
        """The request has ended and its worker is free. True if that opened the breaker: the host's queued deliveries leave the memory."""
        due, permission = taken
        opened = self._breakers.record(due.destination, permission, host, self._clock.monotonic()) == "open"
        self._queues.answered(due, proven=host == "up")
        if opened:
            self._queues.forget(due.destination)
        return opened

    def follow(self, due: Due) -> bool:
        """The receiver has accepted `due`: queues the job's next delivery at once if in memory and if the breaker admits requests.
        Returns whether it did; then call `recorded` once `due` is stored, otherwise `release`.
        """
        admits = self._breakers.admits(due.destination, self._clock.monotonic())
        return admits and self._queues.follow(due)

    def is_idle(self, destination: str) -> bool:
        """True if no delivery to this destination waits for a worker."""
        return self._queues.is_idle(destination)

    def recorded(self, answered: Answered) -> bool:
        """A delivery with a queued successor is stored. True if its job leaves the memory only now."""
        left = self._queues.recorded(answered)
        if left:
            self._released.add(answered.job_uid)
        return left

    def release(self, answered: Answered) -> None:
        """The delivery is stored and its job leaves the memory."""
        self._queues.settled(answered)
        self._released.add(answered.job_uid)

    def done(self) -> None:
        """All steps after an answer's commit are done."""
        was_full = self._unsettled >= self.most_unsettled
        self._unsettled -= 1
        if not self._unsettled:
            self._all_settled.set()
        if was_full:
            self._wake_workers()

    @property
    def size(self) -> int:
        """How many deliveries are in memory."""
        return self._queues.size

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._queues.in_flight

    @property
    def is_draining(self) -> bool:
        """True once no further delivery is sent."""
        return self._draining

    def stop(self) -> None:
        """Hands out no more deliveries."""
        self._draining = True

    async def wait_until_settled(self, timeout_s: float) -> bool:
        """Returns True once no delivery is in flight or answered, False after `timeout_s`."""
        return await wait_for(self._all_settled, self._clock, timeout_s)
