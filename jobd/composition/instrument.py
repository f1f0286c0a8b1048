"""The hook by which tests put something around jobd's outer parts: the clock, the metrics, the store, the engine, the sender."""

from typing import Protocol, TypeVar

T = TypeVar("T")


class Instrument(Protocol):
    """Called once with each outer part, before any other part uses it."""

    def __call__(self, part: T, /) -> T:
        """Returns the part with something around its calls, or another part in its place."""
        ...


def instrumented(part: T, instrument: Instrument | None) -> T:
    """Returns `part` as `instrument` gives it back; the part itself where there is none, as in production."""
    return part if instrument is None else instrument(part)
