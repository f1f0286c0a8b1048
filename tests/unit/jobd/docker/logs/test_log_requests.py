"""A log read through broken connections, set clocks and rotation: every line once and in order, or a gap mark for lost lines."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings

from jobd.docker.logs import stream_lines
from jobd.docker.logs.log_cursors import PositionedLine
from jobd.docker.logs.log_requests import lines_after
from jobd.docker.logs.stream_lines import GAP
from jobd.jobs.port.errors import EngineUnavailable
from tests.support.models.log_story import LINE_BYTES, PIECE_BYTES, WINDOWS, Story, short_stories, stories

LINE = ("write", "stdout", 0, True)


@pytest.fixture(scope="module", autouse=True)
def short_lines() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_lines, "LINE_BYTES", LINE_BYTES)
        patch.setattr(stream_lines, "PIECE_BYTES", PIECE_BYTES)
        yield


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@settings(max_examples=60, deadline=None)
@given(short_stories)
def test_whatever_the_clock_does_every_line_is_stored_once(runner: asyncio.Runner, steps: list[Any]) -> None:
    story = Story(steps)
    runner.run(story.tell())
    story.check()
    assert story.gaps == 0


RUN_CUT_BY_ROTATION = [
    ("read", 1, None),
    ("write", "stdout", 0, True),
    ("write", "stderr", 0, True),
    ("write", "stdout", 0, True),
    ("write", "stderr", 0, True),
    ("rotate", 1),
    ("read", 1, None),
]
"""All lines have one timestamp: the rotation removes the position of stdout, and leaves its run."""


@settings(max_examples=60, deadline=None)
@given(stories)
@example(RUN_CUT_BY_ROTATION)
def test_lines_rotated_away_unread_are_marked(runner: asyncio.Runner, steps: list[Any]) -> None:
    story = Story(steps)
    runner.run(story.tell())
    story.check()


@settings(max_examples=60, deadline=None)
@given(short_stories)
def test_every_line_is_stored_once_where_newlines_are_omitted(
    runner: asyncio.Runner, steps: list[Any]
) -> None:
    story = Story(steps, leaves_out=True)
    runner.run(story.tell())
    story.check()
    assert story.gaps == 0


@settings(max_examples=60, deadline=None)
@given(stories)
def test_lines_rotated_away_are_marked_where_newlines_are_omitted(
    runner: asyncio.Runner, steps: list[Any]
) -> None:
    story = Story(steps, leaves_out=True)
    runner.run(story.tell())
    story.check()


@pytest.mark.parametrize("by_ns", [-3600 * 10**9, 3600 * 10**9, -1])
@pytest.mark.parametrize("set_at", range(6))
@pytest.mark.parametrize("read_at", range(7))
def test_a_clock_that_is_set_at_any_line_and_a_reader_that_begins_again_at_any_other(
    runner: asyncio.Runner, by_ns: int, set_at: int, read_at: int
) -> None:
    steps: list[Any] = []
    for number in range(6):
        steps += [("clock", by_ns if number == set_at else 1)]
        steps += [("write", "stderr" if number % 3 == 2 else "stdout", 20 * (number % 2), True)]
        steps += [("read", 10**9, None)] if number == read_at else []
    story = Story(steps)
    runner.run(story.tell())
    story.check()
    assert story.gaps == 0


def test_the_end_of_the_log_is_searched_first(runner: asyncio.Runner) -> None:
    story = Story([LINE, ("clock", 1)] * 20 + [("read", 20, None)])
    runner.run(story.tell())
    story.check()
    tails = [request.get("tail") for request in story.log.requests]
    assert tails == [None, str(WINDOWS[0]), str(WINDOWS[0])], (
        "one read from the start, the others from near the end"
    )
    assert all("since" not in request for request in story.log.requests)


def test_an_empty_stream_gets_no_gap_mark(runner: asyncio.Runner) -> None:
    story = Story([LINE, ("read", 1, None), ("clock", 1), LINE, ("clock", 1), LINE, ("rotate", 2)])
    runner.run(story.tell())
    story.check()
    assert [(line.stream, line.gap) for line in story.stored] == [("stdout", None), ("stdout", GAP)]


def test_an_emptied_log_is_marked_once_and_read_on(runner: asyncio.Runner) -> None:
    story = Story(
        [LINE, ("read", 10, None), ("rotate", 1), ("read", 10, None), ("read", 10, None), ("clock", 1), LINE]
    )
    runner.run(story.tell())
    story.check()
    assert [(line.text, line.gap) for line in story.stored if line.stream == "stdout"] == [
        ("1:", None),
        ("", GAP),
        ("2:", None),
    ]


def test_a_follow_ends_if_the_log_rotated_before_it(runner: asyncio.Runner) -> None:
    story = Story([LINE, ("read", 10, None)])
    runner.run(story.tell())
    log = story.log

    def print_more() -> bool:
        log.now_ns += 1
        log.write("stderr", b"x\n")
        return len(log.entries) > 10

    def ask(params: Mapping[str, str]) -> Any:
        if params["follow"] == "1":
            log.rotate(1)
        return log.ask(params)

    async def follow() -> list[PositionedLine]:
        batches = lines_after(ask, story.cursors, follow=True, windows=WINDOWS)
        return [line async for batch in batches for line in batch]

    log.turn = print_more
    with pytest.raises(EngineUnavailable, match="rotated past"):
        runner.run(follow())
    assert len(log.entries) == WINDOWS[0] + 1
