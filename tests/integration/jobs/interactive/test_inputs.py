"""The standard inputs of jobs, on the engine in memory: their ends, clients that leave, restarts of jobd."""

import asyncio
from typing import Any

import pytest

from jobd.errors import Conflict, InvalidRequest
from jobd.jobs.state import facts
from jobd.jobs.state.transitions.outcome import INPUT_CUT
from tests.support.fakes.client import attach, left, over
from tests.support.fakes.worker import WorkerScript

COPIES = WorkerScript(runs_s=None, copies=True)


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
