"""The contract of logs and of live output."""

import asyncio
from typing import Any

import msgspec
import pytest

from jobd.jobs.port.errors import (
    ContainerGone,
)
from jobd.jobs.port.model import (
    LOG_START,
    JobRef,
    LogCursor,
)
from tests.contract.steps import Until, batches, read, run
from tests.contract.worlds import Ability, needs
from tests.support.progress import Progress


async def test_the_log_is_there_after_the_end(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    await run(world, ref, behave(lines=("one", "", "three é"), errors=("oops",), rest="no newline"), until)
    lines = await read(world, ref)
    if Ability.STREAMS in world.lacks:
        # A line of one stream follows an unfinished one of the other without a newline.
        whole = "".join(line.text for line in lines)
        assert all(text in whole for text in ("one", "three é", "oops", "no newline"))
        assert len(whole) == len("onethree éoopsno newline")
    else:
        assert [line.text for line in lines if line.stream == "stdout"] == [
            "one",
            "",
            "three é",
            "no newline",
        ]
        assert [line.text for line in lines if line.stream == "stderr"] == ["oops"]
    assert all(line.gap is None and not line.partial for line in lines)


async def test_reading_goes_on_after_each_cursor(world: Any, ref: JobRef, behave: Any, until: Until) -> None:
    """A cursor is stored as its bytes."""
    await run(world, ref, behave(lines=("one", "two", "three"), rest="four"), until)
    whole = await batches(world, ref)
    assert [line.text for batch in whole for line in batch.lines] == ["one", "two", "three", "four"]
    for number, batch in enumerate(whole):
        rest = [line for later in whole[number + 1 :] for line in later.lines]
        assert await read(world, ref, LogCursor(bytes(batch.cursor))) == rest
    assert msgspec.json.decode(whole[-1].cursor), "a cursor is JSON"


async def test_following_ends_with_the_worker_and_keeps_back_an_unfinished_line(
    world: Any, ref: JobRef, behave: Any
) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(lines=("one", "two"), rest="three")), Progress())
    await world.orchestrator.start_worker(ref)
    followed = await batches(world, ref, follow=True)
    shown = [line.text for batch in followed for line in batch.lines]
    rest = await read(world, ref, followed[-1].cursor if followed else LOG_START)
    assert "three" not in shown
    assert [*shown, *(line.text for line in rest)] == ["one", "two", "three"]


async def test_a_line_is_followed_while_the_worker_runs(world: Any, ref: JobRef, behave: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave(lines=("hello",), stays=True)), Progress())
    await world.orchestrator.start_worker(ref)
    stream = world.orchestrator.logs(ref, "worker", LOG_START, True)
    async with asyncio.timeout(world.deadline_s):
        assert [line.text for line in (await anext(stream)).lines] == ["hello"]
    await stream.aclose()


async def test_output_arrives_before_its_line_ends(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.OUTPUT)
    await world.orchestrator.prepare(
        world.work(ref, behave(lines=("one",), rest="two", stays=True)), Progress()
    )
    heard = b""
    async with asyncio.timeout(world.deadline_s), world.orchestrator.output(ref) as connection:
        await world.orchestrator.start_worker(ref)
        async for stream, data in connection.pieces():
            assert stream == "stdout"
            heard += data
            if heard == b"one\ntwo":
                await world.orchestrator.signal(ref, "worker", "SIGKILL")
    assert heard == b"one\ntwo", "it ends with the worker"


async def test_the_streams_of_an_output_are_apart(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.OUTPUT)
    behaviour = behave(lines=("a", "b"), errors=("c",), rest="d")
    await world.orchestrator.prepare(world.work(ref, behaviour), Progress())
    heard = {"stdout": b"", "stderr": b""}
    async with asyncio.timeout(world.deadline_s), world.orchestrator.output(ref) as connection:
        await world.orchestrator.start_worker(ref)
        async for stream, data in connection.pieces():
            heard[stream] += data
    assert heard == {"stdout": b"a\nb\nd", "stderr": b"c\n"}


async def test_a_worker_that_is_not_there_has_no_output(world: Any, ref: JobRef) -> None:
    with pytest.raises(ContainerGone):
        async with world.orchestrator.output(ref):
            pass
