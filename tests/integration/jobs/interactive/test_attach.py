"""Clients attached to jobs, on the engine in memory: starts that wait, terminals, commands beside a worker."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, NotFound
from jobd.jobs.interactive.attachments import HOLD_S
from jobd.jobs.interactive.client import Resized
from jobd.jobs.port.model import WindowSize
from jobd.jobs.state import facts
from jobd.wire.terminal import ExecRequest
from tests.support.fakes.client import FakeClient, attach, left, over
from tests.support.fakes.worker import WorkerScript

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
    await system.until(record, lambda now: now.phase == "running")
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=0.0, delete=False))
    ended = await system.ended(record)
    assert (ended.status, system.engine.starts) == ("cancelled", [])


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
