"""Which delivery goes next: one in flight per job, turns between hosts, a fair part of the workers for each host.

Pure: holds what was loaded, decides, does no I/O and reads no clock. A lane is one `scheme://host:port`. Of each job one
delivery waits or is in flight; a few of those behind it may be in memory too, and take its place when the receiver has taken it.
"""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from jobd.events.delivery.unrecorded import Unrecorded
from jobd.store.tables.rows import Due

INLINE_BUDGET_BYTES = 8 << 20
"""Bodies held in memory, all together; beyond that they are read when their turn comes."""
AHEAD_SHARE = 4
"""A part of the memory, one in so many, may go to deliveries that are behind their job's first one."""
TEXT_BUDGET_BYTES = 32 << 20
"""URLs, keys and names of the deliveries in memory, all together, and one job's more; what is beyond waits on disk. About
twenty-five thousand deliveries with ordinary texts, a thousand with the longest ones.
"""
TEXT_BYTES_BEHIND = 1024
"""What a delivery behind its job's first one takes, besides its body: it has its URL and its key in common with the first one."""
MOST_TEXT_BYTES = 256 << 10
"""No job takes more of the budget than this."""
HOST_CHARACTERS = 255
"""A longer host cannot be resolved; its lane has the first part of its name, so that no lane's name is long."""
LANE_CHARACTERS = len("https://") + len("[]:65535") + HOST_CHARACTERS
_DEFAULT_PORTS = {"http": 80, "https": 443}


def destination_of(url: str) -> str:
    """Returns the lane of a callback's URL: `scheme://host:port`, in lower case, the port always there; at most `LANE_CHARACTERS`.

    Raises:
        ValueError: the URL has no host, or no usable port.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()[:HOST_CHARACTERS]
    port = parts.port or _DEFAULT_PORTS.get(scheme)
    if not host or port is None:
        raise ValueError("not an http(s) URL with a host")
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@dataclass(slots=True)
class _Job:
    """A job in memory. `text_bytes`: what its first delivery takes without its body. `unrecorded`: deliveries that the receiver has
    taken and that are not on record yet.
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
    """What is in memory. `capacity` bounds all lanes together, `destination_capacity` the jobs that are loaded to wait in each; bodies and
    texts have their bounds in bytes.

    A job is held from `hold` over `pick` and `answered` to `settled`, with `follow` and `pick` again for each delivery that it
    has in memory; a worker is taken from `pick` to `answered`.
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
        """True where there may have been no room for another job before the last one was let go of."""
        return self.size + 1 >= self.capacity or self._text_bytes + MOST_TEXT_BYTES >= TEXT_BUDGET_BYTES

    @property
    def size(self) -> int:
        """How many deliveries are in memory."""
        return len(self._jobs) + self._ahead

    def holds(self, job_uid: str) -> bool:
        """True while a delivery of this job is in memory, until it is settled."""
        return job_uid in self._jobs

    def held(self, destination: str) -> int:
        """How many jobs of one lane are in memory."""
        found = self._queues.get(destination)
        return found.held if found else 0

    def is_idle(self, destination: str) -> bool:
        """True where no delivery of this lane waits for a worker."""
        found = self._queues.get(destination)
        return found is None or not found.waiting

    def room(self, destination: str) -> int:
        """How many more jobs of this lane may be loaded."""
        if self._text_bytes >= TEXT_BUDGET_BYTES:
            return 0
        found = self._queues.get(destination)
        waiting = len(found.waiting) if found else 0
        return max(0, min(self.destination_capacity - waiting, self.capacity - self.size))

    def wants(self, destination: str) -> bool:
        """True where it is time to load more of this lane: there is room, and it has half of what it may have at most."""
        found = self._queues.get(destination)
        return self.room(destination) > 0 and (
            found is None or len(found.waiting) <= self.destination_capacity // 2
        )

    def hold(self, due: Due) -> bool:
        """Takes a delivery in, behind the others of its lane, with those that come with it as far as there is room for them.
        False where its job is held already or there is no room.
        """
        if due.job_uid in self._jobs or not self.room(due.destination):
            return False
        size = len(due.body or b"")
        if self._inline_bytes + size > INLINE_BUDGET_BYTES:
            due = replace(due, body=None)
        else:
            self._inline_bytes += size
        text_bytes = _text_bytes(due)
        self._text_bytes += text_bytes
        self._jobs[due.job_uid] = _Job(self._take_ahead(due), text_bytes)
        destination = self._queues.setdefault(due.destination, _DestinationQueue())
        destination.held += 1
        # What found no room is read again later: the queue must not keep its bodies, which nobody counts.
        self._queue(replace(due, ahead=()) if due.ahead else due, destination)
        return True

    def _take_ahead(self, due: Due) -> deque[Due]:
        taken: deque[Due] = deque()
        for one in due.ahead:
            size = len(one.body or b"")
            full = self._ahead >= self.capacity // AHEAD_SHARE or self.size + 1 >= self.capacity
            full = full or self._text_bytes >= TEXT_BUDGET_BYTES
            if full or self._inline_bytes + size > INLINE_BUDGET_BYTES // AHEAD_SHARE:
                break
            taken.append(one)
            self._ahead += 1
            self._inline_bytes += size
            self._text_bytes += TEXT_BYTES_BEHIND
        return taken

    def _queue(self, due: Due, destination: _DestinationQueue) -> None:
        if not destination.waiting:
            self._turns.append(due.destination)
        destination.waiting.append(due)

    def pick(self, admits: Callable[[str], bool]) -> Due | None:
        """Takes the next delivery to be sent: lanes in turn, of those that `admits` says yes to and that may use one
        more worker. None where none may go now.
        """
        for _ in range(len(self._turns)):
            if self.in_flight >= self.workers:
                return None
            name = self._turns.popleft()
            destination = self._queues[name]
            if not self._may_take(destination) or not admits(name):
                self._turns.append(name)
                continue
            due = destination.waiting.popleft()
            self._jobs[due.job_uid].leaving = False
            self._inline_bytes -= len(due.body or b"")
            if destination.waiting:
                self._turns.append(name)
            destination.in_flight += 1
            self.in_flight += 1
            return due
        return None

    def _may_take(self, destination: _DestinationQueue) -> bool:
        # A host that has not answered lately gets a fifth of the workers; one that has, at most twice as many as it
        # leaves free for all others. So slow hosts cannot take every worker before their breakers open.
        if not destination.proven:
            return destination.in_flight < max(1, self.workers // 5)
        return destination.in_flight == 0 or destination.in_flight < 2 * (self.workers - self.in_flight)

    def answered(self, due: Due, proven: bool) -> None:
        """The request of `due` is over and its worker free. `proven`: the host has answered and is well."""
        destination = self._queues[due.destination]
        destination.in_flight -= 1
        destination.proven = proven
        self.in_flight -= 1

    def follow(self, due: Due) -> bool:
        """The receiver has taken `due`: puts the job's next one in its place, behind the others of the lane, where that one
        is in memory. Then `recorded` is to be called instead of `settled` once `due` is on record.
        """
        job = self._jobs[due.job_uid]
        if not job.ahead:
            return False
        job.unrecorded += 1
        self._ahead -= 1
        self._text_bytes -= TEXT_BYTES_BEHIND
        self._queue(job.ahead.popleft(), self._queues[due.destination])
        return True

    def recorded(self, due: Due | Unrecorded) -> bool:
        """A delivery that another has followed is on record. True where its job is let go of only now."""
        job = self._jobs[due.job_uid]
        job.unrecorded -= 1
        if job.unrecorded or not job.leaving:
            return False
        destination = self._queues[due.destination]
        for waiting in destination.waiting:
            if waiting.job_uid == due.job_uid:
                self._let_go(waiting)
                destination.waiting.remove(waiting)
                break
        if not destination.waiting:
            self._turns.remove(due.destination)
        self._leave(due.destination, destination, 1)
        return True

    def settled(self, due: Due | Unrecorded) -> None:
        """The job's delivery is on record; its next one may be taken in."""
        self._drop(due.job_uid)
        self._leave(due.destination, self._queues[due.destination], 1)

    def _let_go(self, due: Due) -> None:
        self._inline_bytes -= len(due.body or b"")
        self._drop(due.job_uid)

    def _drop(self, job_uid: str) -> None:
        job = self._jobs.pop(job_uid)
        self._ahead -= len(job.ahead)
        self._text_bytes -= job.text_bytes + TEXT_BYTES_BEHIND * len(job.ahead)
        self._inline_bytes -= sum(len(one.body or b"") for one in job.ahead)

    def _leave(self, name: str, destination: _DestinationQueue, count: int) -> None:
        destination.held -= count
        if not destination.held:
            del self._queues[name]

    def forget(self, destination: str) -> int:
        """Lets go of what waits in a lane (it is on disk all the same); returns how many jobs that was. A job with deliveries
        that are not on record yet stays until they are: the disk does not know yet where it has to go on.
        """
        found = self._queues.get(destination)
        if found is None or not found.waiting:
            return 0
        staying: deque[Due] = deque()
        for due in found.waiting:
            job = self._jobs[due.job_uid]
            if job.unrecorded:
                job.leaving = True
                staying.append(due)
            else:
                self._let_go(due)
        count = len(found.waiting) - len(staying)
        found.waiting = staying
        if not staying:
            self._turns.remove(destination)
        self._leave(destination, found, count)
        return count


def _text_bytes(due: Due) -> int:
    """What one delivery takes in memory besides its body: its longer texts, and about as much as the rest of it."""
    texts = (due.url, due.key, due.destination, due.event_id, due.job_id)
    return TEXT_BYTES_BEHIND // 2 + sum(sys.getsizeof(text) for text in texts)
