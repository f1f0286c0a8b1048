"""An engine that carries out a start later: the job waits with the engine's reason, and may be cancelled or continued by a new jobd."""

from typing import Any

import pytest

from jobd.errors import InvalidRequest
from jobd.jobs.port.model import Unsupported
from jobd.jobs.state import facts

WHY = "no node has 4 free cores"


async def under_way(system: Any) -> Any:
    """Submits a job, and returns it once the engine has taken the request to start its worker."""
    system.engine.starts_later = WHY
    record = await system.submit()
    return await system.until(record, lambda now: now.worker is not None)


async def test_a_start_that_is_under_way_is_awaited_with_its_reason_and_not_repeated(system: Any) -> None:
    record = await under_way(system)
    for _ in range(4):
        system.clock.advance(10)
        record = await system.until(record, lambda now: now.phase == "running")
        assert record.started_at is None
    assert (await system.event_types(record)) == []
    system.engine.carry_out_start("a")
    record = await system.ended(record)
    assert record.status == "completed"
    assert len(system.engine.starts) == 1


async def test_the_reason_is_what_the_job_waits_for(system: Any) -> None:
    record = await under_way(system)
    supervisor = system.supervisors.get(record.uid)
    await system.until(record, lambda now: supervisor.progress == WHY)
    system.engine.carry_out_start("a")
    await system.ended(record)
    assert supervisor.progress is None


async def test_a_cancelled_job_withdraws_its_start(system: Any) -> None:
    record = await under_way(system)
    await system.service.cancel("a", facts.CancelRequested(by="a user", grace_s=None, delete=False))
    record = await system.ended(record)
    assert (record.status, record.started_at) == ("cancelled", None)
    assert system.engine.starts == []


async def test_a_new_jobd_awaits_the_start_of_the_one_before(system: Any) -> None:
    record = await under_way(system)
    system.clock.advance(60)
    await system.restart()
    system.engine.carry_out_start("a")
    record = await system.ended(record)
    assert record.status == "completed"
    assert len(system.engine.starts) == 1


async def test_an_image_that_is_missing_at_the_start_fails_the_job_with_the_reason(system: Any) -> None:
    record = await under_way(system)
    system.engine.refuse_image("a", "busybox: not found")
    record = await system.ended(record)
    assert (record.status, record.reason, record.error) == ("failed", "image-not-found", "busybox: not found")


async def test_what_the_engine_lacks_is_refused_with_the_field(system: Any) -> None:
    system.engine.lacks.append(Unsupported("hostname", "this engine names hosts itself"))
    with pytest.raises(InvalidRequest, match="names hosts itself") as caught:
        await system.submit(hostname="h")
    assert caught.value.field == "hostname"
