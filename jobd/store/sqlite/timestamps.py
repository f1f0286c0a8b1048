"""Timestamps in the database: whole microseconds since 1970, UTC. The conversion is exact in both directions."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Returns an aware time as microseconds since the epoch.

    Raises:
        TypeError: the time is naive.
    """
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Returns the aware UTC time of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)


def optional_micros(time: datetime | None) -> int | None:
    """`to_micros`, with None for None."""
    return None if time is None else to_micros(time)


def optional_time(micros: int | None) -> datetime | None:
    """`from_micros`, with None for None."""
    return None if micros is None else from_micros(micros)
