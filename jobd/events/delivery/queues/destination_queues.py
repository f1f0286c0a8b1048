"""The deliveries in memory, one queue per destination: one in flight per job, round robin over destinations, a fair share of workers.

Pure: does no I/O and reads no clock; `work_queue.py` owns the one instance. Of each job one delivery waits or is in flight. A few of
the job's next deliveries may be in memory too: the first of them is queued once the receiver has accepted the delivery before.
"""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from jobd.events.delivery.answered import Answered
from jobd.store.tables.delivery_rows import Due

INLINE_BUDGET_BYTES = 8 << 20
"""Bytes of all bodies in memory; jobd reads further bodies when it sends them."""
AHEAD_SHARE = 4
"""One part in `AHEAD_SHARE` of each bound may hold deliveries behind their job's first one."""
TEXT_BUDGET_BYTES = 32 << 20
"""URLs, keys and names of the deliveries in memory, and one job's more: 25,000 deliveries of ordinary length, 1,000 of the longest."""
TEXT_BYTES_BEHIND = 1024
"""The size of a delivery behind its job's first one, without its body: both share one URL and one key."""
MOST_TEXT_BYTES = 256 << 10
"""The largest share of the budget for one job."""


@dataclass(slots=True)
class _Job:
    """A job in memory. `text_bytes`: the size of its first delivery without the body. `unrecorded`: how many accepted deliveries
    are not stored yet. `leaving`: the job leaves the memory once all of these are stored.
    """

    ahead: deque[Due]
    text_bytes: int
    unrecorded: int = 0
    leaving: bool = False


@dataclass(slots=True)
class _DestinationQueue:
    waiting: deque[Due] = field(default_factory=deque)
    in_flight: int = 0
    held: int = 0
    proven: bool = False


class DestinationQueues:
    """`capacity` bounds the deliveries in all queues, `destination_capacity` the jobs that wait in each.

    A job is held from `hold` over `pick` and `answered` to `settled`, with `follow` and `pick` again for each of its deliveries in
    memory. A worker is busy from `pick` to `answered`.
    """

    def __init__(self, workers: int, capacity: int) -> None:
        self.workers = workers
        self.capacity = max(capacity, 1)
        self.destination_capacity = max(1, min(self.capacity, 4 * workers))
        self.in_flight = 0
        self._queues: dict[str, _DestinationQueue] = {}
        self._turns: deque[str] = deque()
        self._jobs: dict[str, _Job] = {}
        self._ahead = 0
        self._inline_bytes = 0
        self._text_bytes = 0

    @property
    def is_nearly_full(self) -> bool:
        """True if the last job that left the memory may have freed the first space for another job."""
        return self.size + 1 >= self.capacity or self._text_bytes + MOST_TEXT_BYTES >= TEXT_BUDGET_BYTES

    @property
    def size(self) -> int:
        """How many deliveries are in memory."""
        return len(self._jobs) + self._ahead

    def holds(self, job_uid: str) -> bool:
        """True while the job is in memory: until its last delivery in memory is stored."""
        return job_uid in self._jobs

    def held(self, destination: str) -> int:
        """How many jobs of one destination are in memory."""
        queue = self._queues.get(destination)
        return queue.held if queue else 0

    def is_idle(self, destination: str) -> bool:
        """True if no delivery to this destination waits for a worker."""
        queue = self._queues.get(destination)
        return queue is None or not queue.waiting

    def room(self, destination: str) -> int:
        """How many more jobs of this destination may be loaded."""
        if self._text_bytes >= TEXT_BUDGET_BYTES:
            return 0
        queue = self._queues.get(destination)
        waiting = len(queue.waiting) if queue else 0
        return max(0, min(self.destination_capacity - waiting, self.capacity - self.size))

    def wants(self, destination: str) -> bool:
        """True if jobd should load more for this destination: there is room, and its queue is at most half full."""
        queue, half = self._queues.get(destination), self.destination_capacity // 2
        return self.room(destination) > 0 and (queue is None or len(queue.waiting) <= half)

    def hold(self, due: Due) -> bool:
        """Queues a delivery and, while there is room, the next ones of its job. False if its job is held or there is no room."""
        if due.job_uid in self._jobs or not self.room(due.destination):
            return False
        if self._inline_bytes + len(due.body or b"") > INLINE_BUDGET_BYTES:
            due = replace(due, body=None)
        self._inline_bytes += len(due.body or b"")
        text_bytes = _text_bytes(due)
        self._text_bytes += text_bytes
        self._jobs[due.job_uid] = _Job(self._take_ahead(due), text_bytes)
        queue = self._queues.setdefault(due.destination, _DestinationQueue())
        queue.held += 1
        # Deliveries without room are read again later: the queue must not keep their bodies, which no budget counts.
        self._append(replace(due, ahead=()) if due.ahead else due, queue)
        return True

    def _take_ahead(self, due: Due) -> deque[Due]:
        taken: deque[Due] = deque()
        for one in due.ahead:
            inline_bytes = self._inline_bytes + len(one.body or b"")
            full = self._ahead >= self.capacity // AHEAD_SHARE or self.size + 1 >= self.capacity
            full = full or self._text_bytes >= TEXT_BUDGET_BYTES
            if full or inline_bytes > INLINE_BUDGET_BYTES // AHEAD_SHARE:
                break
            taken.append(one)
            self._ahead += 1
            self._inline_bytes = inline_bytes
            self._text_bytes += TEXT_BYTES_BEHIND
        return taken

    def _append(self, due: Due, queue: _DestinationQueue) -> None:
        if not queue.waiting:
            self._turns.append(due.destination)
        queue.waiting.append(due)

    def pick(self, admits: Callable[[str], bool]) -> Due | None:
        """Takes the next delivery to send: round robin over the destinations for which `admits` returns True and that may use one
        more worker. None if no delivery may be sent now.
        """
        if self.in_flight >= self.workers:
            return None
        for _ in range(len(self._turns)):
            destination = self._turns.popleft()
            queue = self._queues[destination]
            if not self._may_use_a_worker(queue) or not admits(destination):
                self._turns.append(destination)
                continue
            due = queue.waiting.popleft()
            self._jobs[due.job_uid].leaving = False
            if due.body is not None:
                self._inline_bytes -= len(due.body)
            if queue.waiting:
                self._turns.append(destination)
            queue.in_flight += 1
            self.in_flight += 1
            return due
        return None

    def _may_use_a_worker(self, queue: _DestinationQueue) -> bool:
        # A host without a recent answer gets a fifth of the workers; a host with an answer gets at most twice the number that
        # stays for all others. So slow hosts cannot use every worker before their breakers open.
        if not queue.proven:
            return queue.in_flight < max(1, self.workers // 5)
        return queue.in_flight == 0 or queue.in_flight < 2 * (self.workers - self.in_flight)

    def answered(self, due: Due, proven: bool) -> None:
        """The request of `due` has ended and its worker is free. `proven`: the host has answered and is up."""
        queue = self._queues[due.destination]
        queue.in_flight -= 1
        queue.proven = proven
        self.in_flight -= 1

    def follow(self, due: Due) -> bool:
        """The receiver has accepted `due`: queues the job's next delivery if in memory. Returns whether it is; then call
        `recorded` instead of `settled` once `due` is stored.
        """
        job = self._jobs[due.job_uid]
        if not job.ahead:
            return False
        job.unrecorded += 1
        self._ahead -= 1
        self._text_bytes -= TEXT_BYTES_BEHIND
        self._append(job.ahead.popleft(), self._queues[due.destination])
        return True

    def recorded(self, due: Due | Answered) -> bool:
        """A delivery with a queued successor is stored. True if its job leaves the memory only now."""
        job = self._jobs[due.job_uid]
        job.unrecorded -= 1
        if job.unrecorded or not job.leaving:
            return False
        queue = self._queues[due.destination]
        waiting = next(one for one in queue.waiting if one.job_uid == due.job_uid)
        self._drop_waiting(waiting)
        queue.waiting.remove(waiting)
        if not queue.waiting:
            self._turns.remove(due.destination)
        self._release(due.destination, queue, 1)
        return True

    def settled(self, due: Due | Answered) -> None:
        """The job's delivery is stored and the job leaves the memory; `hold` may take its next delivery."""
        self._drop(due.job_uid)
        self._release(due.destination, self._queues[due.destination], 1)

    def _drop_waiting(self, due: Due) -> None:
        self._inline_bytes -= len(due.body or b"")
        self._drop(due.job_uid)

    def _drop(self, job_uid: str) -> None:
        job = self._jobs.pop(job_uid)
        self._ahead -= len(job.ahead)
        self._text_bytes -= job.text_bytes + TEXT_BYTES_BEHIND * len(job.ahead)
        self._inline_bytes -= sum(len(one.body or b"") for one in job.ahead)

    def _release(self, destination: str, queue: _DestinationQueue, count: int) -> None:
        queue.held -= count
        if not queue.held:
            del self._queues[destination]

    def forget(self, destination: str) -> int:
        """Drops the waiting deliveries of one destination, which the store still has; returns the number of jobs. A job with accepted
        deliveries that are not stored yet stays until they are: the store does not know yet which delivery is next.
        """
        queue = self._queues.get(destination)
        if queue is None or not queue.waiting:
            return 0
        staying: deque[Due] = deque()
        for due in queue.waiting:
            job = self._jobs[due.job_uid]
            if job.unrecorded:
                job.leaving = True
                staying.append(due)
            else:
                self._drop_waiting(due)
        count = len(queue.waiting) - len(staying)
        queue.waiting = staying
        if not staying:
            self._turns.remove(destination)
        self._release(destination, queue, count)
        return count


def _text_bytes(due: Due) -> int:
    """Returns the memory of one delivery without its body: its longer texts, and an estimate of the rest."""
    texts = (due.url, due.key, due.destination, due.event_id, due.job_id)
    return TEXT_BYTES_BEHIND // 2 + sum(sys.getsizeof(text) for text in texts)
