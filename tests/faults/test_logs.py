"""Long random walks over a container's log in memory and a reader that may be interrupted anywhere."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from jobd.docker.logs import stream_lines
from tests.support.models.log_story import LINE_BYTES, PIECE_BYTES, Story, short_stories, stories


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_lines, "LINE_BYTES", LINE_BYTES)
        patch.setattr(stream_lines, "PIECE_BYTES", PIECE_BYTES)
        yield made


@pytest.mark.fault(
    row="Engine",
    injection="the clock is set back and forth, jobd is killed and connections break",
    invariant="every line of the log once and in order, no mark",
)
@settings(max_examples=4000, deadline=None)
@given(short_stories)
def test_no_line_is_lost_or_stored_twice(runner: asyncio.Runner, steps: list[Any]) -> None:
    story = Story(steps)
    runner.run(story.tell())
    story.check()
    assert story.gaps == 0


@pytest.mark.fault(
    row="Engine",
    injection="the same, and the engine rotates the log",
    invariant="every line once and in order, or a mark where it was",
)
@settings(max_examples=4000, deadline=None)
@given(stories)
def test_no_line_is_lost_without_a_mark(runner: asyncio.Runner, steps: list[Any]) -> None:
    story = Story(steps)
    runner.run(story.tell())
    story.check()
