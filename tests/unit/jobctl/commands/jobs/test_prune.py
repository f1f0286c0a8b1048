"""Which jobs `prune` chooses: ended ones alone, by their end, the newest of each id."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobctl.commands.jobs.prune import ended_before, statuses_of
from jobctl.errors import Misuse


def job(job_id: str, uid: str, finished: str | None) -> dict[str, Any]:
    return {"id": job_id, "uid": uid, "status": "completed", **({"finishedAt": finished} if finished else {})}


def test_the_end_of_the_newest_job_of_an_id_decides() -> None:
    listed = [
        job("nightly", "u3", "2030-01-31T08:00:00Z"),
        job("other", "u2", "2030-01-30T08:00:00Z"),
        job("nightly", "u1", "2030-01-29T08:00:00Z"),
        job("odd", "u0", None),
    ]
    chosen = ended_before(listed, datetime(2030, 1, 30, 12, tzinfo=UTC))
    assert [each["uid"] for each in chosen] == ["u2"]
    assert {each["uid"] for each in ended_before(listed, None)} == {"u3", "u2", "u0"}


def test_only_final_statuses_can_be_pruned() -> None:
    assert statuses_of([]) == ["completed", "failed", "cancelled"]
    assert statuses_of(["failed,cancelled", "failed"]) == ["failed", "cancelled", "failed"]
    with pytest.raises(Misuse, match="'running' is not a final status"):
        statuses_of(["completed,running"])
    for empty in ([""], ["failed,"]):
        with pytest.raises(Misuse, match="--status needs a final status"):
            statuses_of(empty)
