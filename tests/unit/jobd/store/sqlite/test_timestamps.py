"""Timestamps round-trip through the database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.store.sqlite.timestamps import from_micros, optional_micros, optional_time, to_micros


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_microsecond_is_lost(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_order_is_kept(one: datetime, other: datetime) -> None:
    assert (one < other) == (to_micros(one) < to_micros(other))


def test_other_zones_become_utc() -> None:
    moment = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert from_micros(to_micros(moment)) == datetime(2030, 1, 1, tzinfo=UTC)


def test_naive_times_are_refused() -> None:
    with pytest.raises(TypeError):
        to_micros(datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_none_stays_none() -> None:
    assert optional_micros(None) is None
    assert optional_time(None) is None
