"""The jobs whose receivers take no batches: bounded, the latest kept."""

from typing import Any

from msgspec.structs import replace

from jobd.events.delivery.batching import MAX_SINGLY, Batching
from tests.support.fakes.clock import FakeClock
from tests.unit.jobd.events.delivery.queues.test_destination_queues import due


def test_of_more_jobs_that_go_singly_than_are_remembered_the_latest_are() -> None:
    stored: Any = None  # not read here
    batching = Batching(stored, FakeClock())
    for n in range(MAX_SINGLY + 50):
        batching.refused([due(f"j{n}", number=n), due(f"j{n}", number=n + 1)])
    assert len(batching._singly) == MAX_SINGLY
    assert "j49" not in batching._singly
    assert batching._singly[f"j{MAX_SINGLY + 49}"] == MAX_SINGLY + 50


async def test_a_job_whose_refused_batch_is_sent_is_forgotten() -> None:
    class Stored:
        async def delivery_run(self, delivery_id: int, limit: int, max_bytes: int) -> list[Any]:
            return [replace(due("j", number=delivery_id), batch=True)]

        async def delivery_body(self, delivery_id: int) -> bytes:
            return b"{}"

    batching = Batching(Stored(), FakeClock())
    batching.refused([due("j", number=1), due("j", number=2)])
    await batching.run_of(replace(due("j", number=2), batch=True))
    assert batching._singly == {"j": 2}
    await batching.run_of(replace(due("j", number=3), batch=True))
    assert batching._singly == {}
