"""The hook with which tests wrap jobd's outer parts: the clock, the metrics, the store, the engine, the sender."""

from typing import Protocol, TypeVar

T = TypeVar("T")


class Instrument(Protocol):
    """Called once with each outer part, before any other part uses it."""

    def __call__(self, part: T, /) -> T:
        """Returns the part, a wrapper around it, or a replacement."""
        ...


def instrumented(part: T, instrument: Instrument | None) -> T:
    """Returns `instrument(part)`; without an instrument, as in production, the part itself."""
    return part if instrument is None else instrument(part)
