"""Clients attached to jobs, on the engine in memory: starts that wait, inputs and their ends, restarts of jobd, commands beside a worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest, NotFound
from jobd.jobs.interactive.attachments import HOLD_S
from jobd.jobs.interactive.client import InputBytes, InputEnd, Message, Resized
from jobd.jobs.port.model import WindowSize
from jobd.jobs.state import facts
from jobd.jobs.state.transitions.outcome import INPUT_CUT
from jobd.wire.terminal import ExecRequest, Status
from tests.support.fakes.worker import WorkerScript

DEADLINE_S = 10.0
COPIES = WorkerScript(runs_s=None, copies=True)


class FakeClient:
    """A client in memory. `got` holds what jobd has sent: output by stream, and statuses."""

    def __init__(self) -> None:
        self.sends: asyncio.Queue[Message | None] = asyncio.Queue()
        self.output = {"stdout": b"", "stderr": b""}
        self.statuses: list[Status] = []
        self.news = asyncio.Event()

    async def messages(self) -> AsyncIterator[Message]:
        while (message := await self.sends.get()) is not None:
            yield message

    async def send(self, stream: str, data: bytes) -> None:
        self.output[stream] += data
        self.news.set()

    async def status(self, status: Status) -> None:
        if status != Status():
            self.statuses.append(status)
            self.news.set()

    def type(self, data: bytes) -> None:
        self.sends.put_nowait(InputBytes(data))

    def end(self) -> None:
        self.sends.put_nowait(InputEnd())

    def leave(self) -> None:
        self.sends.put_nowait(None)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self):
                self.news.clear()
                await self.news.wait()

    async def attached(self) -> None:
        await self.until(lambda one: any(status.attached for status in one.statuses))

    @property
    def ended(self) -> Any:
        return self.statuses[-1].end


def attach(system: Any, target: Any, *, stdin: bool = True) -> tuple[FakeClient, asyncio.Task[None]]:
    client = FakeClient()
    return client, asyncio.create_task(system.sessions.attach(target, client, stdin=stdin))


async def left(client: FakeClient, session: asyncio.Task[None]) -> None:
    client.leave()
    async with asyncio.timeout(DEADLINE_S):
        await session


async def over(session: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await session


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


async def test_input_and_its_end_reach_the_worker(system: Any) -> None:
    system.engine.workers["a"] = COPIES
    record = await system.submit(id="a", stdin=True, attach=True)
    client, session = attach(system, await system.sessions.target("a"))
    await client.attached()
    client.type(b"one\ntwo\n")
    await client.until(lambda one: one.output["stdout"] == b"one\ntwo\n")
    assert not (await system.stored(record)).ended
    client.end()
    await over(session)
    assert client.ended.status == "completed"
    lines = [line for line in await system.event_types(record) if line == "log"]
    assert lines, "the output is logged as for any job"


async def test_a_client_that_leaves_without_the_end_ends_nothing_and_another_sends_the_rest(
    system: Any,
) -> None:
    system.engine.workers["a"] = COPIES
    record = await system.submit(id="a", stdin=True, attach=True)
    first, session = attach(system, await system.sessions.target("a"))
    await first.attached()
    first.type(b"one\n")
    await first.until(lambda one: one.output["stdout"] == b"one\n")
    with pytest.raises(Conflict) as refused:
        await over(attach(system, await system.sessions.target("a"))[1])
    assert refused.value.code == "input-taken"
    watcher, watching = attach(system, await system.sessions.target("a"), stdin=False)
    await watcher.attached()
    await left(first, session)
    assert not (await system.stored(record)).ended
    second, session = attach(system, await system.sessions.target("a"))
    await second.attached()
    second.type(b"two\n")
    second.end()
    await over(session)
    await over(watching)
    assert second.output["stdout"] == watcher.output["stdout"] == b"two\n"
    assert (await system.ended(record)).status == "completed"


@pytest.mark.parametrize("ends", [False, True])
async def test_a_restart_under_the_input_is_told_unless_the_input_had_ended(system: Any, ends: bool) -> None:
    """The worker reads an end that nobody has sent. Its success may come from a part of its input."""
    system.engine.workers["a"] = WorkerScript(runs_s=None) if ends else COPIES
    record = await system.submit(id="a", stdin=True, attach=True)
    client, session = attach(system, await system.sessions.target("a"))
    await client.attached()
    client.type(b"one\n")
    if ends:
        client.end()
        await system.until(record, lambda now: now.input == "ended")
    session.cancel()
    await asyncio.gather(session, return_exceptions=True)
    await system.restart()
    if ends:
        system.engine.end("a", "worker", 0)
    ended = await system.ended(record, tick_s=0.1)
    if ends:
        assert (ended.status, ended.input) == ("completed", "ended")
    else:
        assert (ended.status, ended.reason, ended.error) == ("failed", "input-failed", INPUT_CUT)
        assert ended.exit_code == 0


async def test_a_job_whose_input_was_never_opened_is_not_cut_by_a_restart(system: Any) -> None:
    system.engine.workers["a"] = COPIES
    record = await system.submit(id="a", stdin=True)
    await system.until(record, lambda now: now.started_at is not None)
    await system.restart()
    client, session = attach(system, await system.sessions.target("a"))
    await client.attached()
    client.type(b"late\n")
    client.end()
    await over(session)
    assert (await system.ended(record)).status == "completed"


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


async def test_a_client_may_not_feed_a_job_without_an_input(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(id="a", attach=True)
    client, session = attach(system, await system.sessions.target("a"))
    await client.attached()
    assert client.statuses[0].attached is not None
    assert not client.statuses[0].attached.stdin
    client.type(b"x")
    with pytest.raises(InvalidRequest):
        await over(session)
    await system.service.cancel("a", facts.CancelRequested(by="me", grace_s=0.0, delete=False))
    await system.ended(record)


async def test_a_worker_that_ends_before_its_input_drops_the_rest(system: Any) -> None:
    system.engine.workers["a"] = WorkerScript(runs_s=None)
    record = await system.submit(id="a", stdin=True, attach=True)
    client, session = attach(system, await system.sessions.target("a"))
    await client.attached()
    await system.until(record, lambda now: now.started_at is not None)
    system.engine.end("a", "worker", 0)
    client.type(b"too late\n")
    client.end()
    await over(session)
    assert client.ended.status == "completed"
    assert (await system.ended(record)).status == "completed"


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
