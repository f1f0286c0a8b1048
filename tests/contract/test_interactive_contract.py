"""The contract of a worker's input and terminal, and of commands beside a worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobd.jobs.port.errors import ContainerGone, RefusedByEngine
from jobd.jobs.port.model import Command, JobRef, WindowSize
from tests.contract.steps import Until, ended, read
from tests.contract.worlds import Ability, needs, observed_until
from tests.support.progress import Progress


async def prepared(world: Any, ref: JobRef, behaviour: Any, **fields: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behaviour, **fields), Progress())


async def started(world: Any, ref: JobRef) -> None:
    await world.orchestrator.start_worker(ref)
    await observed_until(
        world, ref, lambda seen: seen.worker is not None and seen.worker.started_at is not None
    )


async def heard(pieces: AsyncIterator[tuple[str, bytes]]) -> dict[str, bytes]:
    found = {"stdout": b"", "stderr": b""}
    async for stream, data in pieces:
        found[stream] += data
    return found


async def heard_until(pieces: AsyncIterator[tuple[str, bytes]], wanted: bytes) -> bytes:
    found = b""
    async for _, data in pieces:
        found += data
        if wanted in found:
            break
    return found


async def written_for_ever(stream: Any) -> None:
    while True:
        await stream.write(b"x" * 4096 + b"\n")
        await asyncio.sleep(0.01)


async def test_input_from_before_the_start_arrives_whole_and_its_end_ends_the_worker(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    await prepared(world, ref, behave(copies=True, exit_code=3), stdin=True)
    async with asyncio.timeout(world.deadline_s), port.output(ref) as connection, port.input(ref) as stream:
        pieces = connection.pieces()
        await stream.write(b"early\n")
        await port.start_worker(ref)
        await stream.write(b"late\n")
        await stream.end()
        assert (await heard(pieces))["stdout"] == b"early\nlate\n"
    worker = (await until(ref, ended)).worker
    assert worker is not None
    assert worker.exit_code == 3
    assert [line.text for line in await read(world, ref)] == ["early", "late"]


async def test_a_worker_without_a_terminal_reads_the_end_when_the_connection_ends(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    await prepared(world, ref, behave(copies=True), stdin=True)
    async with asyncio.timeout(world.deadline_s):
        async with port.input(ref) as stream:
            await port.start_worker(ref)
            await stream.write(b"a part\n")
        worker = (await until(ref, ended)).worker
    assert worker is not None
    assert worker.exit_code == 0
    assert [line.text for line in await read(world, ref)] == ["a part"]


async def test_an_ended_worker_reads_no_more_input(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    await prepared(world, ref, behave(), stdin=True)
    async with asyncio.timeout(world.deadline_s), port.input(ref) as stream:
        await port.start_worker(ref)
        await until(ref, ended)
        with pytest.raises(ContainerGone):
            await written_for_ever(stream)


async def test_a_terminal_outlives_its_connections(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    await prepared(world, ref, behave(lines=("ready",), copies=True), stdin=True, tty=True)
    async with asyncio.timeout(world.deadline_s), port.output(ref) as connection:
        pieces = connection.pieces()
        await port.start_worker(ref)
        await heard_until(pieces, b"ready\r\n")
        for word in (b"first", b"second"):
            async with port.input(ref) as stream:
                await stream.write(word + b"\n")
                assert word + b"\r\n" in await heard_until(pieces, word)
                await stream.end()
        assert not ended(await port.observe(ref))
        await port.signal(ref, "worker", "SIGKILL")
        await heard(pieces)


async def test_a_terminal_has_one_stream_and_its_log_has_whole_lines(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    await prepared(world, ref, behave(lines=("one", "two"), errors=("three",), rest="four"), tty=True)
    async with asyncio.timeout(world.deadline_s), port.output(ref) as connection:
        pieces = connection.pieces()
        await port.start_worker(ref)
        assert (await heard(pieces))["stdout"] == b"one\r\ntwo\r\nthree\r\nfour"
    await until(ref, ended)
    lines = await read(world, ref)
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one\r"), ("stdout", "two\r"), ("stdout", "three\r"), ("stdout", "four")
    ]  # fmt: skip
    assert not lines[-1].newline


async def test_a_terminal_has_the_size_that_it_gets(world: Any, ref: JobRef, behave: Any) -> None:
    needs(world, Ability.INPUT)
    port = world.orchestrator
    assert not await port.resize(ref, WindowSize(columns=90, rows=30))
    await prepared(world, ref, behave(lines=("ready",), shows_size=True), tty=True)
    assert not await port.resize(ref, WindowSize(columns=90, rows=30)), "the worker does not run yet"
    async with asyncio.timeout(world.deadline_s), port.output(ref) as connection:
        pieces = connection.pieces()
        await port.start_worker(ref)
        await heard_until(pieces, b"ready")
        for columns, rows in ((100, 40), (71, 13)):
            assert await port.resize(ref, WindowSize(columns=columns, rows=rows))
            assert b"%d %d" % (rows, columns) in await heard_until(pieces, b"%d %d" % (rows, columns))


async def test_a_missing_worker_has_no_input(world: Any, ref: JobRef) -> None:
    needs(world, Ability.INPUT)
    with pytest.raises(ContainerGone):
        async with world.orchestrator.input(ref):
            pass


async def test_a_command_beside_the_worker_has_its_own_streams_and_code(
    world: Any, ref: JobRef, behave: Any
) -> None:
    port = world.orchestrator
    await prepared(world, ref, behave(stays=True))
    await started(world, ref)
    arguments = world.command(behave(lines=("out",), errors=("err",), exit_code=9))
    async with asyncio.timeout(world.deadline_s), port.execute(ref, Command(arguments)) as process:
        assert await heard(process.output()) == {"stdout": b"out\n", "stderr": b"err\n"}
        assert await process.exit_code() == 9
    assert await read(world, ref) == []
    assert not ended(await port.observe(ref))


async def test_a_command_that_does_not_exist_has_the_code_of_one_that_cannot_run(
    world: Any, ref: JobRef, behave: Any
) -> None:
    port = world.orchestrator
    await prepared(world, ref, behave(stays=True))
    await started(world, ref)
    arguments = world.command(behave(missing=True))
    async with asyncio.timeout(world.deadline_s), port.execute(ref, Command(arguments)) as process:
        assert any((await heard(process.output())).values()), "the reason"
        assert await process.exit_code() in (126, 127)


async def test_a_command_reads_its_input_to_its_end(world: Any, ref: JobRef, behave: Any) -> None:
    port = world.orchestrator
    await prepared(world, ref, behave(stays=True))
    await started(world, ref)
    command = Command(world.command(behave(copies=True)), stdin=True)
    async with asyncio.timeout(world.deadline_s), port.execute(ref, command) as process:
        await process.write(b"one\n")
        await process.write(b"two\n")
        await process.end()
        assert (await heard(process.output()))["stdout"] == b"one\ntwo\n"
        assert await process.exit_code() == 0


async def test_a_command_with_a_terminal_has_one_stream(world: Any, ref: JobRef, behave: Any) -> None:
    port = world.orchestrator
    await prepared(world, ref, behave(stays=True))
    await started(world, ref)
    arguments = world.command(behave(lines=("out",), errors=("err",)))
    command = Command(arguments, tty=True, size=WindowSize(columns=80, rows=24))
    async with asyncio.timeout(world.deadline_s), port.execute(ref, command) as process:
        assert await heard(process.output()) == {"stdout": b"out\r\nerr\r\n", "stderr": b""}
        assert await process.exit_code() == 0


async def test_no_command_runs_beside_a_worker_that_does_not_run(
    world: Any, ref: JobRef, behave: Any, until: Until
) -> None:
    port = world.orchestrator
    command = Command(world.command(behave()))

    async def refused(*kinds: type[Exception]) -> None:
        with pytest.raises(kinds):
            async with port.execute(ref, command):
                pass

    await refused(ContainerGone)
    await prepared(world, ref, behave(stays=True))
    await refused(ContainerGone)
    await started(world, ref)
    if Ability.FREEZING not in world.lacks:
        await port.freeze_worker(ref)
        await refused(RefusedByEngine)
        await port.thaw_worker(ref)
    await port.signal(ref, "worker", "SIGKILL")
    await until(ref, ended)
    await refused(ContainerGone)
