"""Whatever is cut where, each line of a log is read once; after a rotation, a gap is marked and no new line is lost."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.jobs.port.model import LOG_START, LogCursor
from jobd.kubernetes.logs.cursor import MARGIN_S, Reading, cursor_of, position_of, since_time

START = 1_900_000_000
NANO = 1_000_000_000


def text(nanos: int) -> str:
    seconds, rest = divmod(nanos, NANO)
    whole = datetime.fromtimestamp(START + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".") + "Z"


@st.composite
def times(draw: st.DrawFn) -> list[str]:
    """Times that run backwards by less than the margin."""
    steps = draw(st.lists(st.integers(-NANO // 2, 3 * NANO) | st.sampled_from([0, 1, NANO]), max_size=40))
    now, newest, found = 5 * NANO, 0, []
    for step in steps:
        now = max(now + step, newest - NANO)
        newest = max(newest, now)
        found.append(now)
    return [text(one) for one in found]


def answer(log: list[str], since: str | None) -> list[tuple[int, str]]:
    """What the API returns: the lines from a whole second on."""
    kept = [(number, time) for number, time in enumerate(log)]
    if since is None:
        return kept
    begin = datetime.fromisoformat(since)
    return [(number, time) for number, time in kept if datetime.fromisoformat(time) >= begin]


def read(log: list[str], cursor: LogCursor, limit: int) -> tuple[list[int], LogCursor, bool]:
    reading = Reading(position_of(cursor))
    new: list[int] = []
    for number, time in answer(log, since_time(position_of(cursor))):
        if len(new) == limit:
            break
        if reading.is_new(time):
            new.append(number)
        reading.over(time)
    return new, cursor_of(reading.position), reading.gap


@given(times(), st.lists(st.integers(0, 7), max_size=60))
@example([text(5 * NANO), text(5 * NANO - 1)], [1])
def test_each_line_is_read_once_wherever_a_request_ends(log: list[str], limits: list[int]) -> None:
    cursor, seen = LOG_START, []
    for limit in [*limits, 1000]:
        new, cursor, gap = read(log, cursor, limit)
        seen += new
        assert not gap
    assert seen == list(range(len(log)))


@given(times(), st.integers(0, 40), st.integers(0, 40))
def test_after_a_rotation_no_kept_line_that_is_newer_is_lost(
    log: list[str], first: int, dropped: int
) -> None:
    new, cursor, _ = read(log, LOG_START, first)
    kept = log[dropped:]
    again, cursor, gap = read(kept, cursor, 1000)
    missing = [number for number in range(len(new), dropped) if number < len(log)]
    if new and kept and missing:
        assert gap
    last = log[new[-1]] if new else ""
    newer = [
        n for n in range(max(dropped, len(new)), len(log)) if datetime.fromisoformat(log[n]) > _time(last)
    ]
    assert set(newer) <= {number + dropped for number in again}
    assert len(set(again)) == len(again)


def _time(time: str) -> datetime:
    return datetime.fromisoformat(time) if time else datetime.min.replace(tzinfo=UTC)


@given(st.lists(st.integers(1, 50), max_size=5))
def test_a_line_that_was_read_in_part_is_continued_at_its_byte(parts: list[int]) -> None:
    reading = Reading(position_of(LOG_START))
    assert reading.is_new(text(0))
    reading.over(text(0))
    assert reading.is_new(text(1))
    for size in parts:
        reading.part(size)
    again = Reading(position_of(cursor_of(reading.position)))
    assert not again.is_new(text(0))
    again.over(text(0))
    assert again.is_new(text(1))
    assert again.done == sum(parts)
    again.over(text(1))
    assert again.position.done == 0


def test_a_position_is_no_older_than_the_margin() -> None:
    reading = Reading(position_of(LOG_START))
    for second in range(100):
        for nanos in range(3):
            reading.over(text(second * NANO + nanos))
    assert reading.position.since == START + 99 - MARGIN_S
    assert reading.position.lines == 3 * (MARGIN_S + 1)


@pytest.mark.parametrize("cursor", [b"[]", b'{"since":"x"}'])
def test_a_cursor_of_something_else_is_refused(cursor: bytes) -> None:
    with pytest.raises(ValueError):
        position_of(LogCursor(cursor))
