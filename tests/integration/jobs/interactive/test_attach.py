"""Clients attached to jobs, on the engine in memory: starts that wait, terminals, commands beside a worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jobd.errors import Conflict, NotFound
from jobd.jobs.interactive import sessions
from jobd.jobs.interactive.attachments import HOLD_S
from jobd.jobs.interactive.client import Resized
from jobd.jobs.port.model import JobRef, WindowSize
from jobd.jobs.record.parts import Started
from jobd.jobs.state import facts
from jobd.wire.terminal import ExecRequest
from tests.support.fakes.client import FakeClient, attach, left, over
from tests.support.fakes.worker import WorkerScript

DEADLINE_S = 60.0
COPIES = WorkerScript(runs_s=None, copies=True)


async def test_a_start_waits_for_its_client_which_misses_nothing(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(lines=("one",), errors=("two",), exit_code=7)
    record = await system.submit(id="a", attach=True)
    await system.until(record, lambda now: now.phase == "running")
    assert system.engine.starts == []
    assert (await system.service.get("a")).waiting_for == "a client to attach, for half a minute at most"
    client, session = attach(system, await system.sessions.target("a"), stdin=False)
    await over(session)
    assert client.output == {"stdout": b"one\n", "stderr": b"two\n"}
    assert (client.ended.status, client.ended.exit_code) == ("failed", 7)
    assert [status.attached is not None for status in client.statuses] == [True, False]


async def held(system: Any, uid: str) -> None:
    """Waits until the start of the worker waits for a client."""
    async with asyncio.timeout(DEADLINE_S):
        while uid not in system.sessions._attachments._holds:
            await asyncio.sleep(0)


async def test_a_worker_starts_once_its_clients_are_attached(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered, output = asyncio.Event(), asyncio.Event(), system.engine.output

    @asynccontextmanager
    async def slow(ref: JobRef) -> AsyncIterator[Any]:
        task = asyncio.current_task()
        if (
            task is not None and task.get_name() == "attached process"
        ):  # the reader of the log attaches as well
            asked.set()
            await answered.wait()
        async with output(ref) as connection:
            yield connection

    monkeypatch.setattr(system.engine, "output", slow)
    record = await system.submit(id="a", attach=True)
    await held(system, record.uid)
    _, session = attach(system, await system.sessions.target("a"), stdin=False)
    await asyncio.wait_for(asked.wait(), DEADLINE_S)
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert system.engine.starts == []
    answered.set()
    await over(session)
    assert len(system.engine.starts) == 1


async def test_a_client_may_come_while_the_job_waits_for_its_turn(system: Any) -> None:
    await system.groups.pause_all(True)
    system.engine.workers["a"] = WorkerScript(lines=("one",))
    await system.submit(id="a", attach=True)
    client, session = attach(system, await system.sessions.target("a"), stdin=False)
    await asyncio.sleep(0.01)
    assert client.statuses == []
    await system.groups.pause_all(False)
    await over(session)
    assert client.output["stdout"] == b"one\n"


async def test_a_start_waits_for_a_bounded_time(system: Any) -> None:
    record = await system.submit(id="a", attach=True)
    await system.until(record, lambda now: now.phase == "running")
    began = system.clock.monotonic()
    await system.ended(record, tick_s=1.0)
    assert system.clock.monotonic() - began >= HOLD_S


async def test_a_cancel_ends_the_wait_for_a_client(system: Any) -> None:
    record = await system.submit(id="a", attach=True)
    await held(system, record.uid)
    began = system.clock.monotonic()
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=0.0, delete=False))
    ended = await system.ended(record)
    assert (ended.status, system.engine.starts) == ("cancelled", [])
    async with asyncio.timeout(DEADLINE_S):
        while system.supervisors.get(record.uid) is not None:
            await asyncio.sleep(0.01)
    assert system.clock.monotonic() - began < HOLD_S


async def test_a_job_that_does_not_wait_for_a_client_starts_without_one(system: Any) -> None:
    system.engine.workers["a"] = COPIES
    record = await system.submit(id="a", stdin=True)
    await system.until(record, lambda now: now.started_at is not None)


async def test_a_terminal_is_left_and_entered_again_also_over_a_restart(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None, copies=True, shows_size=True)
    record = await system.submit(id="a", stdin=True, tty=True, attach=True)
    for word in (b"one", b"two"):
        client, session = attach(system, await system.sessions.target("a"))
        client.sends.put_nowait(Resized(WindowSize(columns=90, rows=30)))
        await client.attached()
        client.type(word + b"\n")
        await client.until(lambda one, word=word: word + b"\r\n" in one.output["stdout"])
        await client.until(lambda one: b"30 90\r\n" in one.output["stdout"])
        await left(client, session)
        await system.restart()
        assert not (await system.stored(record)).ended
    assert (await system.stored(record)).input == "unopened", "a terminal's input has no end to lose"
    system.engine.end("a", "worker", 0)
    assert (await system.ended(record, tick_s=0.1)).status == "completed"


async def test_a_program_in_a_terminal_draws_again_for_a_later_client(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None, shows_size=True)
    record = await system.submit(id="a", tty=True)
    await system.until(record, lambda now: now.started_at is not None)
    client, session = attach(system, await system.sessions.target("a"))
    client.sends.put_nowait(Resized(WindowSize(columns=90, rows=30)))
    await client.until(lambda one: one.output["stdout"] == b"31 90\r\n30 90\r\n")
    await left(client, session)


async def test_which_jobs_a_client_can_attach_to(system: Any) -> None:
    with pytest.raises(NotFound):
        await system.sessions.target("a")
    record = await system.submit(id="a")
    await system.ended(record)
    with pytest.raises(Conflict) as ended:
        await system.sessions.target("a")
    assert ended.value.code == "command-ended"
    await system.groups.pause_all(True)
    await system.submit(id="b")
    with pytest.raises(Conflict) as waits:
        await system.sessions.target("b", running=True)
    assert waits.value.code == "not-running"
    await system.sessions.target("b")


async def test_a_command_for_a_job_that_is_about_to_start_waits_for_the_start(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(id="a", attach=True)
    await held(system, record.uid)
    looking = asyncio.create_task(system.sessions.target("a", running=True))
    await asyncio.sleep(0.05)
    assert not looking.done()
    system.sessions._attachments.release(record.uid)
    target = await asyncio.wait_for(looking, DEADLINE_S)
    assert isinstance(target.record.worker, Started)


async def test_a_command_waits_for_a_start_for_a_bounded_time(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "STARTS_S", 0.05)
    record = await system.submit(id="a", attach=True)
    await held(system, record.uid)
    with pytest.raises(Conflict, match="has not started yet \\(running\\); to wait for it: jobctl attach a"):
        await system.sessions.target("a", running=True)


async def test_a_client_of_a_job_that_never_starts_gets_its_end(system: Any) -> None:
    system.engine.missing_images.add("busybox")
    await system.groups.pause_all(True)
    await system.submit(id="a", attach=True)
    client, session = attach(system, await system.sessions.target("a"))
    await system.groups.pause_all(False)
    await over(session)
    assert (client.ended.status, client.ended.reason) == ("failed", "image-not-found")


async def test_a_command_beside_a_worker_has_its_output_and_its_code(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    system.engine.commands["cat"] = WorkerScript(lines=("hello",), copies=True, exit_code=4)
    record = await system.submit(id="a")
    await system.until(record, lambda now: now.started_at is not None)
    client = FakeClient()
    target = await system.sessions.target("a", running=True)
    request = ExecRequest(command=["cat"], stdin=True)
    session = asyncio.create_task(system.sessions.execute(target, request, client))
    await client.attached()
    client.type(b"one\n")
    await client.until(lambda one: one.output["stdout"] == b"hello\none\n")
    client.end()
    await over(session)
    assert client.statuses[-1].exit is not None
    assert client.statuses[-1].exit.exit_code == 4
    system.engine.end("a", "worker", 0)
    await system.ended(record)
