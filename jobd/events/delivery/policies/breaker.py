"""Circuit breakers, one per destination: closed, open, half-open with one probe.

Pure: the monotonic time is passed in. Knows nothing of requests; the caller says whether the host was up or down.
The answer to a request that began before the breaker's last change of state changes nothing.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

State = Literal["closed", "open", "half-open"]
Host = Literal["up", "down", "unknown"]


class Ticket(NamedTuple):
    """Permission for one request; returned with the request's result."""

    generation: int


class Breaker:
    """Opens after `threshold` failures in a row, admits one probe after `cooldown_s`."""

    def __init__(self, threshold: int, cooldown_s: float) -> None:
        self._threshold = threshold
        self._cooldown_s = cooldown_s
        self._failures = 0
        self._generation = 0
        self._opened_at: float | None = None
        self._failed_at = 0.0
        self._probing = False
        self._under_way = 0

    def state(self, now: float) -> State:
        """The state at `now`."""
        if self._opened_at is None:
            return "closed"
        return "open" if now - self._opened_at < self._cooldown_s else "half-open"

    @property
    def forgettable(self) -> bool:
        """True if a new breaker would be the same: closed, no failures, no request under way."""
        return self._opened_at is None and not self._failures and not self._under_way

    def rested(self, now: float) -> bool:
        """True if no request is under way and the cool-down has passed since the last failure: only the next request needs this
        breaker.
        """
        return not self._under_way and now - self._failed_at >= self._cooldown_s

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._under_way

    def wait_s(self, now: float) -> float:
        """Seconds until the breaker is half-open; 0 if the breaker is not open."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._cooldown_s - now)

    def admits(self, now: float) -> bool:
        """True if a request may be sent now. Changes nothing."""
        state = self.state(now)
        return state == "closed" or (state == "half-open" and not self._probing)

    def take(self, now: float) -> Ticket:
        """Begins a request; while half-open, the only probe.

        Raises:
            ValueError: no request may be sent now.
        """
        if not self.admits(now):
            raise ValueError("the breaker admits no request now")
        if self._opened_at is not None:
            self._probing = True
            self._generation += 1
        self._under_way += 1
        return Ticket(self._generation)

    def succeed(self, ticket: Ticket) -> None:
        """The host answered."""
        self._under_way -= 1
        if ticket.generation != self._generation:
            return
        self._failures = 0
        if self._probing:
            self._change(None)

    def fail(self, ticket: Ticket, now: float) -> None:
        """The host is down or asked jobd to send less."""
        self._under_way -= 1
        if ticket.generation != self._generation:
            return
        self._failures += 1
        self._failed_at = now
        if self._probing or self._failures >= self._threshold:
            self._change(now)

    def release(self, ticket: Ticket) -> None:
        """The request was not sent, or its result does not depend on the host."""
        self._under_way -= 1
        if ticket.generation == self._generation:
            self._probing = False

    def _change(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._generation += 1
        self._failures = 0
        self._probing = False


MAX_BREAKERS = 4096
"""Far more than workers: some breaker always has no request under way."""


class Breakers:
    """The breakers of all destinations, at most `MAX_BREAKERS`: a new one replaces the breaker with the oldest last failure, whose host
    then gets a few more requests. A closed breaker without failures and requests is not kept.

    Every change of state calls `on_change` with the destination and the new state, for log and metrics.
    """

    def __init__(self, threshold: int, cooldown_s: float, on_change: Callable[[str, State], None]) -> None:
        self._threshold = threshold
        self._cooldown_s = cooldown_s
        self._on_change = on_change
        self._breakers: dict[str, Breaker] = {}

    @property
    def size(self) -> int:
        """How many destinations have a breaker."""
        return len(self._breakers)

    def open_count(self, now: float) -> int:
        """How many breakers are not closed."""
        return sum(breaker.state(now) != "closed" for breaker in self._breakers.values())

    def state(self, destination: str, now: float) -> State:
        """The state of one destination's breaker."""
        breaker = self._breakers.get(destination)
        return breaker.state(now) if breaker else "closed"

    def wait_s(self, destination: str, now: float) -> float:
        """Seconds until this destination's breaker is half-open; 0 if the breaker is not open."""
        breaker = self._breakers.get(destination)
        return breaker.wait_s(now) if breaker else 0.0

    def admits(self, destination: str, now: float) -> bool:
        """True if a request to this destination may be sent now."""
        breaker = self._breakers.get(destination)
        return breaker is None or breaker.admits(now)

    def take(self, destination: str, now: float) -> tuple[Breaker, Ticket]:
        """Begins a request. Returns its breaker and its ticket, for `record`."""
        breaker = self._breakers.get(destination)
        if breaker is None:
            if len(self._breakers) >= MAX_BREAKERS:
                self._make_room(now)
            breaker = self._breakers[destination] = Breaker(self._threshold, self._cooldown_s)
        if breaker.state(now) == "half-open":
            self._on_change(destination, "half-open")
        return breaker, breaker.take(now)

    def rested(self, now: float, after: str, limit: int) -> list[str]:
        """Returns up to `limit` destinations with rested breakers, by name, after `after`."""
        rested = (
            destination
            for destination, breaker in self._breakers.items()
            if destination > after and breaker.rested(now)
        )
        return sorted(rested)[:limit]

    def forget(self, destination: str, now: float) -> None:
        """Drops a rested breaker; does nothing if the breaker has not rested or does not exist."""
        breaker = self._breakers.get(destination)
        if breaker is not None and breaker.rested(now):
            self._drop(destination, breaker, now)

    def _make_room(self, now: float) -> None:
        idle = next((pair for pair in self._breakers.items() if not pair[1].under_way), None)
        if idle is not None:
            self._drop(*idle, now)

    def _drop(self, destination: str, breaker: Breaker, now: float) -> None:
        del self._breakers[destination]
        if breaker.state(now) != "closed":
            self._on_change(destination, "closed")

    def record(self, destination: str, taken: tuple[Breaker, Ticket], host: Host, now: float) -> State | None:
        """Ends a request that shows the host as up, down or neither. Returns the breaker's state if it has changed."""
        breaker, ticket = taken
        before = breaker.state(now)
        if host == "down":
            breaker.fail(ticket, now)
            # Ordered by last failure, for `_make_room`.
            self._breakers[destination] = self._breakers.pop(destination)
        elif host == "up":
            breaker.succeed(ticket)
        else:
            breaker.release(ticket)
        after = breaker.state(now)
        if after != before:
            self._on_change(destination, after)
        if breaker.forgettable:
            del self._breakers[destination]
        return after if after != before else None
