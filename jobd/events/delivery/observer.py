"""What the dispatcher tells whoever counts: the metrics, in the daemon.

Owns the Protocol alone. Calls come from the event loop, must be quick and must not raise.
"""

from typing import Protocol

from jobd.events.delivery.breaker import State


class DeliveryObserver(Protocol):
    """Hears what becomes of deliveries."""

    def delivered(self, latency_s: float) -> None:
        """A receiver took an event, `latency_s` after it had happened."""
        ...

    def requested(self, seconds: float) -> None:
        """A request has ended, however it ended."""
        ...

    def failed(self, kind: str) -> None:
        """The last try of a round failed. `kind`: network, timeout, refused, invalid, or the status class such as `5xx`."""
        ...

    def retried(self, kind: str) -> None:
        """A try failed, of the same kinds, and its delivery will be tried again in this round."""
        ...

    def requeued(self) -> None:
        """A round has failed; a new one begins later."""
        ...

    def dropped(self, outcome: str, count: int) -> None:
        """Deliveries that go out no more by themselves: `parked` or `abandoned`."""
        ...

    def breaker_changed(self, destination: str, state: State) -> None:
        """A breaker is `open`, `half-open` or `closed` now."""
        ...


class NullObserver:
    """Hears everything and keeps nothing."""

    def delivered(self, latency_s: float) -> None:
        """Nothing."""

    def requested(self, seconds: float) -> None:
        """Nothing."""

    def failed(self, kind: str) -> None:
        """Nothing."""

    def retried(self, kind: str) -> None:
        """Nothing."""

    def requeued(self) -> None:
        """Nothing."""

    def dropped(self, outcome: str, count: int) -> None:
        """Nothing."""

    def breaker_changed(self, destination: str, state: State) -> None:
        """Nothing."""
