"""What the engine tells of a container that the kernel killed for its memory limit, when its facts do not say so."""

from typing import Any


async def test_the_engine_has_an_event_of_it(bench: Any) -> None:
    await bench.create(command=["tail", "/dev/zero"], memory=16)
    await bench.orchestrator.start_worker(bench.ref)
    worker = await bench.ended()
    assert worker.exit_code == 137
    assert await bench.orchestrator.killed_for_memory(worker)


async def test_a_kill_by_others_is_none(bench: Any) -> None:
    await bench.create(command=["sleep", "60"])
    await bench.orchestrator.start_worker(bench.ref)
    bench.client.containers.get(f"job-{bench.ref.id}-worker").kill()
    worker = await bench.ended()
    assert worker.exit_code == 137
    assert not await bench.orchestrator.killed_for_memory(worker)
