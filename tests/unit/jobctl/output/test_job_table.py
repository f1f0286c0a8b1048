"""The columns of the table of jobs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobctl.output.job_table import COLUMNS, TABLE, WIDE_TABLE, row, table_of

NOW = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)
JOB: dict[str, Any] = {"id": "a", "status": "accepted", "phase": "queued", "image": "busybox"}


@pytest.mark.parametrize(
    ("more", "columns"),
    [
        ([{}], ()),
        ([{"queuePosition": 2}], ("POSITION",)),
        ([{}, {"group": "gpu"}], ("GROUP",)),
        ([{"group": "gpu"}, {"queuePosition": 1}], ("POSITION", "GROUP")),
    ],
)
def test_a_column_of_the_queue_is_there_where_a_job_has_the_field(
    more: list[dict[str, Any]], columns: tuple[str, ...]
) -> None:
    jobs = [{**JOB, **fields} for fields in more]
    assert table_of(jobs).columns == (*COLUMNS, *columns)
    assert table_of(jobs, wide=True) is WIDE_TABLE


def test_a_row_has_the_cells_of_its_table() -> None:
    job = {**JOB, "queuePosition": 2, "group": "gpu", "exitCode": 0, "command": ["echo", "a b"]}
    assert row(job, NOW) == ["a", "accepted", "queued", "0", "-", "busybox"]
    assert row(job, NOW, table_of([job]))[-2:] == ["2", "gpu"]
    assert row(JOB, NOW, table_of([job]))[-2:] == ["-", "-"]
    cells = dict(zip(WIDE_TABLE.columns, row(job, NOW, WIDE_TABLE), strict=True))
    assert (cells["LABELS"], cells["REASON"], cells["COMMAND"]) == ("-", "-", "echo a b")
    assert TABLE.columns == COLUMNS


def test_a_job_that_stands_still_is_paused() -> None:
    assert row({**JOB, "phase": "running", "paused": True}, NOW)[2] == "paused"
    assert row({**JOB, "phase": "queued", "paused": True}, NOW)[2] == "queued"
