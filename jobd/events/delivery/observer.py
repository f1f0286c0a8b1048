"""The Protocol by which the dispatcher reports deliveries; `jobd/metrics/deliveries.py` implements it.

The event loop makes the calls: they must be quick and must not raise.
"""

from typing import Protocol

from jobd.events.delivery.policies.breaker import State


class DeliveryObserver(Protocol):
    """Gets the results of deliveries."""

    def delivered(self, latency_s: float) -> None:
        """A receiver accepted an event `latency_s` after its creation."""
        ...

    def requested(self, seconds: float) -> None:
        """A request has ended after `seconds`, with or without an answer."""
        ...

    def failed(self, kind: str) -> None:
        """The last try of a round failed. `kind`: network, timeout, local, refused, invalid, or a status class such as `5xx`."""
        ...

    def retried(self, kind: str) -> None:
        """A try failed, with a kind as in `failed`; jobd repeats the try in this round."""
        ...

    def requeued(self) -> None:
        """A round has failed; a new one begins later."""
        ...

    def dropped(self, outcome: str, count: int) -> None:
        """`count` deliveries are sent only after a replay: `parked` or `abandoned`."""
        ...

    def breaker_changed(self, destination: str, state: State) -> None:
        """A breaker is `open`, `half-open` or `closed` now."""
        ...


class NullObserver:
    """Does nothing."""

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
