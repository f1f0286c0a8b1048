"""The engine's `oom` event for a container that the kernel killed for its memory limit."""

from dataclasses import replace
from typing import Any

from jobd.jobs.port.model import EndCause


async def test_the_engine_has_an_oom_event(bench: Any) -> None:
    await bench.create(command=["tail", "/dev/zero"], memory=16)
    await bench.orchestrator.start_worker(bench.ref)
    worker = replace(await bench.ended(), cause=EndCause.SIGNAL)
    assert worker.exit_code == 137
    assert await bench.orchestrator.end_cause(bench.ref, "worker", worker) is EndCause.OUT_OF_MEMORY


async def test_another_kill_has_no_oom_event(bench: Any) -> None:
    await bench.create(command=["sleep", "60"])
    await bench.orchestrator.start_worker(bench.ref)
    bench.client.containers.get(f"job-{bench.ref.id}-worker").kill()
    worker = await bench.ended()
    assert worker.exit_code == 137
    assert await bench.orchestrator.end_cause(bench.ref, "worker", worker) is EndCause.SIGNAL
