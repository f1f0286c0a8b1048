"""How far a job is, in one line."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.live.progress import line, stage, transferred

NOW = datetime(2030, 1, 31, 8, 3, 20, tzinfo=UTC)
MOVING = {"id": "data", "type": "download", "status": "pending", "doneBytes": 1 << 20, "bytes": 4 << 20}


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"phase": "queued", "waitingFor": "a free place: number 3 in the queue"}, "a waits for a free place: number 3 in the queue"),
        ({"phase": "pulling", "waitingFor": "pulling"}, "a pulling"),
        (
            {"phase": "pulling", "image": "app:1", "pull": {"doneBytes": 1 << 20, "bytes": 4 << 20, "layersDone": 3, "layers": 7}},
            "a pulls the image app:1: 3 of 7 layers  [######..................]  1.0 MiB of 4.0 MiB  1.0 MiB/s  about 3s left",
        ),
        ({"phase": "pulling", "image": "app:1", "pull": {"layers": 2}}, "a pulls the image app:1: 0 of 2 layers"),
        (
            {"phase": "inputs", "waitingFor": "its inputs", "artifacts": [MOVING, {"id": "x", "type": "write"}]},
            "a waits for its inputs: data (download)  [######..................]  1.0 MiB of 4.0 MiB  1.0 MiB/s  about 3s left",
        ),
        ({"phase": "running", "startedAt": "2030-01-31T08:00:00Z"}, "a runs for 3m20s"),
        ({"phase": "running", "paused": True, "waitingFor": "the job to be resumed"}, "a waits for the job to be resumed"),
        ({"phase": "done", "status": "completed"}, ""),
    ],
)  # fmt: skip
def test_each_stage_has_its_line(job: dict[str, Any], text: str) -> None:
    assert line({"id": "a", **job}, float(1 << 20), NOW) == text


def test_without_a_terminal_the_line_has_no_bar() -> None:
    job = {"id": "a", "phase": "inputs", "waitingFor": "its inputs", "artifacts": [MOVING]}
    assert "[" not in line(job, 1.0, NOW, with_bar=False)


def test_a_total_counts_only_where_all_are_known() -> None:
    unknown = {"id": "more", "type": "download", "status": "pending", "doneBytes": 5}
    assert transferred({"artifacts": [MOVING]}) == (1 << 20, 4 << 20)
    assert transferred({"artifacts": [MOVING, unknown]}) == ((1 << 20) + 5, None)
    assert transferred({"artifacts": [{**MOVING, "status": "success"}]}) == (0, None)


@given(st.none() | st.text(), st.none() | st.text())
def test_a_newer_daemons_phases_have_a_line(phase: str | None, waiting: str | None) -> None:
    job = {"id": "a", "phase": phase, "waitingFor": waiting}
    assert isinstance(stage(job), str)
    assert isinstance(line(job, 0.0, NOW), str)
