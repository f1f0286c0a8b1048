"""Which delivery goes next: one in flight per job, turns between hosts, a fair part of the workers for each host.

Pure: holds what was loaded, decides, does no I/O and reads no clock. A lane is one `scheme://host:port`. What a job has
behind its first delivery stays on disk, so order within a job follows from holding one delivery per job.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from jobd.store.rows import Due

INLINE_BUDGET_BYTES = 8 << 20
"""Bodies held in memory, all together; beyond that they are read when their turn comes."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def lane_of(url: str) -> str:
    """Returns the lane of a callback's URL: `scheme://host:port`, in lower case, the port always there.

    Raises:
        ValueError: the URL has no host, or no usable port.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme)
    if not host or port is None:
        raise ValueError("not an http(s) URL with a host")
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@dataclass(slots=True)
class _Lane:
    waiting: deque[Due] = field(default_factory=deque)
    in_flight: int = 0
    held: int = 0
    proven: bool = False


class Lanes:
    """What is in memory. `capacity` bounds all lanes together, `lane_capacity` what waits in each of them.

    A job is held from `hold` over `pick` and `answered` to `settled`; a worker is taken from `pick` to `answered`.
    """

    def __init__(self, workers: int, capacity: int) -> None:
        self.workers = workers
        self.capacity = max(capacity, 1)
        self.lane_capacity = max(1, min(self.capacity, 4 * workers))
        self.in_flight = 0
        self._lanes: dict[str, _Lane] = {}
        self._turns: deque[str] = deque()
        self._jobs: set[str] = set()
        self._inline_bytes = 0

    @property
    def size(self) -> int:
        """How many deliveries are in memory."""
        return len(self._jobs)

    def holds(self, job_uid: str) -> bool:
        """True while a delivery of this job is in memory, until it is settled."""
        return job_uid in self._jobs

    def held(self, lane: str) -> int:
        """How many deliveries of one lane are in memory."""
        found = self._lanes.get(lane)
        return found.held if found else 0

    def room(self, lane: str) -> int:
        """How many more deliveries of this lane may be loaded."""
        found = self._lanes.get(lane)
        waiting = len(found.waiting) if found else 0
        return max(0, min(self.lane_capacity - waiting, self.capacity - self.size))

    def wants(self, lane: str) -> bool:
        """True where it is time to load more of this lane: there is room, and it has half of what it may have at most."""
        found = self._lanes.get(lane)
        return self.room(lane) > 0 and (found is None or len(found.waiting) <= self.lane_capacity // 2)

    def hold(self, due: Due) -> bool:
        """Takes a delivery in, behind the others of its lane. False where its job is held already or there is no room."""
        if due.job_uid in self._jobs or not self.room(due.lane):
            return False
        size = len(due.body or b"")
        if self._inline_bytes + size > INLINE_BUDGET_BYTES:
            due = replace(due, body=None)
        else:
            self._inline_bytes += size
        lane = self._lanes.setdefault(due.lane, _Lane())
        if not lane.waiting:
            self._turns.append(due.lane)
        lane.waiting.append(due)
        lane.held += 1
        self._jobs.add(due.job_uid)
        return True

    def pick(self, admits: Callable[[str], bool]) -> Due | None:
        """Takes the next delivery to be sent: lanes in turn, of those that `admits` says yes to and that may use one
        more worker. None where none may go now.
        """
        for _ in range(len(self._turns)):
            if self.in_flight >= self.workers:
                return None
            name = self._turns.popleft()
            lane = self._lanes[name]
            if not self._may_take(lane) or not admits(name):
                self._turns.append(name)
                continue
            due = lane.waiting.popleft()
            self._inline_bytes -= len(due.body or b"")
            if lane.waiting:
                self._turns.append(name)
            lane.in_flight += 1
            self.in_flight += 1
            return due
        return None

    def _may_take(self, lane: _Lane) -> bool:
        # A host that has not answered lately gets a fifth of the workers; one that has, at most twice as many as it
        # leaves free for all others. So slow hosts cannot take every worker before their breakers open.
        if not lane.proven:
            return lane.in_flight < max(1, self.workers // 5)
        return lane.in_flight == 0 or lane.in_flight < 2 * (self.workers - self.in_flight)

    def answered(self, due: Due, proven: bool) -> None:
        """The request of `due` is over and its worker free. `proven`: the host has answered and is well."""
        lane = self._lanes[due.lane]
        lane.in_flight -= 1
        lane.proven = proven
        self.in_flight -= 1

    def settled(self, due: Due) -> None:
        """The job's delivery is on record; its next one may be taken in."""
        self._jobs.remove(due.job_uid)
        lane = self._lanes[due.lane]
        lane.held -= 1
        if not lane.held:
            del self._lanes[due.lane]

    def forget(self, lane: str) -> int:
        """Lets go of what waits in a lane (it is on disk all the same); returns how many that was."""
        found = self._lanes.get(lane)
        if found is None or not found.waiting:
            return 0
        count = len(found.waiting)
        for due in found.waiting:
            self._jobs.remove(due.job_uid)
            self._inline_bytes -= len(due.body or b"")
        found.waiting.clear()
        found.held -= count
        self._turns.remove(lane)
        if not found.held:
            del self._lanes[lane]
        return count
