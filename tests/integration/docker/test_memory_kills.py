"""The engine's `oom` event for a container that the kernel killed for its memory limit."""

import time
from dataclasses import replace
from typing import Any

import pytest

from jobd.jobs.port.model import EndCause
from tests.support.engine.memory_kills import TRIES, told_of_memory_kill


async def test_the_engine_has_an_oom_event(bench: Any) -> None:
    for ref in (bench.another() for _ in range(TRIES)):
        began = time.time()
        worker = replace(
            await bench.run(ref, command=["tail", "/dev/zero"], memory=16), cause=EndCause.SIGNAL
        )
        assert worker.exit_code == 137
        cause = await bench.orchestrator.end_cause(ref, "worker", worker)
        told = told_of_memory_kill(bench.client, ref.id, began)
        assert cause is (EndCause.OUT_OF_MEMORY if told else EndCause.SIGNAL)
        if told:
            return
    pytest.fail("the engine told of no kill")


async def test_another_kill_has_no_oom_event(bench: Any) -> None:
    await bench.create(command=["sleep", "60"])
    await bench.orchestrator.start_worker(bench.ref)
    bench.client.containers.get(f"job-{bench.ref.id}-worker").kill()
    worker = await bench.ended()
    assert worker.exit_code == 137
    assert await bench.orchestrator.end_cause(bench.ref, "worker", worker) is EndCause.SIGNAL
