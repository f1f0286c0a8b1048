"""A set of three stages ends the same, however often jobd is killed meanwhile and at whatever moment."""

import asyncio
import os
import random
from typing import Any

import pytest

from jobd.errors import NotFound
from jobd.jobs.admission.submission import Submission
from jobd.wire.job import Dependency, JobSpec
from tests.integration.jobs.conftest import DEADLINE_S
from tests.support.fakes.worker import WorkerScript

STAGE = 20
Outcome = tuple[str, int | None]


def specs() -> list[JobSpec]:
    """20 jobs; 20 that each wait for one of those; 20 that each wait for two of the second stage, one of them with any end."""
    first = [JobSpec(id=f"a{n}", image="busybox", set="s") for n in range(STAGE)]
    second = [
        JobSpec(id=f"b{n}", image="busybox", set="s", after=[Dependency(job=f"a{n}")]) for n in range(STAGE)
    ]
    third = [
        JobSpec(
            id=f"c{n}",
            image="busybox",
            set="s",
            after=[Dependency(job=f"b{n}", on="any"), Dependency(job=f"b{(n + 1) % STAGE}")],
        )
        for n in range(STAGE)
    ]
    return first + second + third


def expected() -> dict[str, Outcome]:
    ends: dict[str, Outcome] = {
        f"a{n}": ("failed", 3) if n % 5 == 4 else ("completed", 0) for n in range(STAGE)
    }
    for n in range(STAGE):
        ends[f"b{n}"] = ("cancelled", None) if ends[f"a{n}"][0] == "failed" else ("completed", 0)
    for n in range(STAGE):
        ends[f"c{n}"] = (
            ("completed", 0) if ends[f"b{(n + 1) % STAGE}"][0] == "completed" else ("cancelled", None)
        )
    return ends


@pytest.mark.parametrize("kills", [0, 40])
async def test_a_set_of_three_stages_ends_the_same_with_and_without_kills(system: Any, kills: int) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(1 << 32))
    print(f"FAULT_SEED={seed} repeats this run")
    chance = random.Random(seed)
    for n in range(STAGE):
        system.engine.workers[f"a{n}"] = WorkerScript(
            exit_code=3 if n % 5 == 4 else 0, runs_s=chance.random()
        )
    todo = specs()
    async with asyncio.timeout(18 * DEADLINE_S):
        while todo:
            submitting = asyncio.create_task(
                system.submitter.submit(Submission(todo[0], owner=None, idempotent=True))
            )
            if kills and chance.random() < 0.2:
                kills -= 1
                for _ in range(chance.randrange(30)):
                    await asyncio.sleep(0)
                await system.restart()
                await asyncio.gather(submitting, return_exceptions=True)
                continue  # the client did not get the answer, and sends the job again
            await submitting
            todo.pop(0)
        while not await ended(system):
            system.clock.advance(0.2)
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            if kills and chance.random() < 0.3:
                kills -= 1
                await system.restart()
    views = [await system.service.get(job_id) for job_id in expected()]
    assert {view.id: (view.status, view.exit_code) for view in views} == expected()
    assert {view.reason for view in views if view.status == "cancelled"} == {"dependency"}
    assert {len(view.attempts) for view in views if view.status != "cancelled"} == {1}
    started = [ref.id for ref in system.engine.starts]
    assert sorted(started) == sorted(
        job_id for job_id, (status, _) in expected().items() if status != "cancelled"
    )
    numbers = await system.sets.get("s")
    ends = [status for status, _ in expected().values()]
    assert numbers.total == 3 * STAGE
    assert (numbers.completed, numbers.failed, numbers.cancelled) == tuple(
        ends.count(status) for status in ("completed", "failed", "cancelled")
    )
    assert (system.queue.running, system.queue.waiting) == (0, 0)


async def ended(system: Any) -> bool:
    try:
        numbers = await system.sets.get("s")
    except NotFound:
        return False
    return numbers.finished_at is not None
