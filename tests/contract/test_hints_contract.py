"""Every engine yields every kind of hint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jobd.jobs.port.hints import Changed, Connected, Disconnected, Ended, Hint, SignalledExternally, Started
from jobd.jobs.port.model import ContainerState, EndCause, JobRef
from jobd.wire.report import SidecarOrder
from tests.support.progress import Progress


@asynccontextmanager
async def hints(world: Any) -> AsyncIterator[Any]:
    """Yields the connected stream of hints."""
    stream = world.orchestrator.hints()
    try:
        async with asyncio.timeout(world.deadline_s):
            assert await anext(stream) == Connected()
            yield stream
    finally:
        await stream.aclose()


async def to(stream: Any, kind: type[Any], ref: JobRef) -> list[Hint]:
    """Returns the hints up to the next one of this kind for this job's worker; the stream names no other job."""
    found: list[Hint] = []
    while True:
        hint = await anext(stream)
        found.append(hint)
        if isinstance(hint, Connected | Disconnected):
            assert kind is type(hint), "the stream broke"
            return found
        assert hint.uid in (None, ref.uid)
        if isinstance(hint, kind) and hint.role in (None, "worker"):
            return found


async def test_a_stream_begins_with_connected(world: Any) -> None:
    async with hints(world):
        pass


async def test_a_broken_stream_reports_disconnected_and_reconnects(
    world: Any, ref: JobRef, behave: Any
) -> None:
    async with hints(world) as stream:
        await world.interrupt_hints()
        assert await anext(stream) == Disconnected()
        while (hint := await anext(stream)) != Connected():
            assert hint == Disconnected()
        await world.orchestrator.prepare(world.work(ref, behave()), Progress())
        await world.orchestrator.start_worker(ref)
        await to(stream, Ended, ref)


async def test_a_start_and_an_end_are_reported(world: Any, ref: JobRef, behave: Any) -> None:
    async with hints(world) as stream:
        made = await world.orchestrator.prepare(world.work(ref, behave(exit_code=3)), Progress())
        await world.orchestrator.start_worker(ref)
        begun, over = (await to(stream, Started, ref))[-1], (await to(stream, Ended, ref))[-1]
    assert isinstance(begun, Started)
    assert isinstance(over, Ended)
    if begun.facts is not None:
        assert (begun.facts.id, begun.facts.attempt) == (made.worker_id, ref.attempt)
        assert begun.facts.state is ContainerState.RUNNING
        assert begun.facts.started_at is not None
    if over.facts is not None:
        assert (over.facts.id, over.facts.exit_code, over.facts.attempt) == (made.worker_id, 3, ref.attempt)
        assert (over.facts.state, over.facts.cause) == (ContainerState.ENDED, EndCause.OWN_EXIT)
        assert over.facts.finished_at is not None


async def test_an_external_signal_is_reported_before_the_end_it_causes(
    world: Any, ref: JobRef, behave: Any
) -> None:
    async with hints(world) as stream:
        await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
        await world.orchestrator.start_worker(ref)
        await to(stream, Started, ref)
        await world.kill_from_outside(ref)
        told = [type(hint) for hint in await to(stream, Ended, ref)]
    assert told.count(SignalledExternally) == 1


async def test_a_signal_that_was_sent_through_the_port_is_not_external(
    world: Any, ref: JobRef, behave: Any
) -> None:
    async with hints(world) as stream:
        await world.orchestrator.prepare(world.work(ref, behave(stays=True)), Progress())
        await world.orchestrator.start_worker(ref)
        await to(stream, Started, ref)
        await world.orchestrator.signal(ref, "worker", "SIGKILL")
        told = [type(hint) for hint in await to(stream, Ended, ref)]
    assert SignalledExternally not in told


async def test_neither_a_notification_nor_a_removal_is_an_external_signal(
    world: Any, ref: JobRef, behave: Any
) -> None:
    async with hints(world) as stream:
        await world.orchestrator.prepare(world.work(ref, behave(stays=True), sidecar=True), Progress())
        await world.orchestrator.start_inputs(
            ref, SidecarOrder(job_id=ref.id, job_uid=ref.uid, artifacts=[], secrets={"a": "b"})
        )
        await world.orchestrator.start_worker(ref)
        await world.orchestrator.notify_worker_ended(ref, True)
        await world.orchestrator.remove(ref)
        told = await to(stream, Ended, ref)
    assert SignalledExternally not in [type(hint) for hint in told]


async def test_a_removal_is_reported_as_a_change(world: Any, ref: JobRef, behave: Any, until: Any) -> None:
    await world.orchestrator.prepare(world.work(ref, behave()), Progress())
    await world.orchestrator.start_worker(ref)
    await until(ref, lambda seen: seen.worker is not None and seen.worker.ended)
    async with hints(world) as stream:
        await world.orchestrator.remove(ref)
        await to(stream, Changed, ref)
