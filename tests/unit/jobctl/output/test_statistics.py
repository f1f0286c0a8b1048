"""What `jobctl stats` prints: sentences, rates that round down, tables in a pipe."""

from typing import Any

import pytest

from jobctl.output import statistics

TIMES = {"jobs": 3, "p50": 0.2, "p90": 3.0, "p99": 90.0, "max": 90.0, "total": 93.2}
TOTAL = {
    "jobs": 3,
    "completed": 2,
    "failed": 1,
    "cancelled": 0,
    "successRate": 2 / 3,
    "reasons": {"exit-code": 1},
    "waiting": TIMES,
    "running": {**TIMES, "total": 31.0},
}
FOUND: dict[str, Any] = {
    "until": "2030-01-08T00:00:00Z",
    "retentionSeconds": 604800.0,
    "total": TOTAL,
    "intervals": [],
}


def test_the_sentence_names_the_period_if_there_is_one() -> None:
    counts = "2 completed, 1 failed, 0 cancelled; success 66.6%"
    assert statistics.sentence(FOUND) == f"3 jobs ended: {counts}"
    since = {**FOUND, "since": "2030-01-01T00:00:00Z"}
    assert statistics.sentence(since) == f"3 jobs ended in the last 7d: {counts}"
    none = {**since, "total": {"jobs": 0, "completed": 0, "failed": 0, "cancelled": 0}}
    assert statistics.sentence(none) == "no jobs ended in the last 7d"


def test_a_rate_below_all_is_never_shown_as_all(capsys: pytest.CaptureFixture[str]) -> None:
    one = {**TOTAL, "key": "a", "successRate": 0.99999}
    statistics.show_groups("image", [one], {**TOTAL, "successRate": 1.0, "waiting": None})
    _, first, others = capsys.readouterr().out.splitlines()
    assert first.split() == ["a", "3", "1", "99.9%", "200ms", "3s", "200ms", "3s", "1m30s"]
    assert others.split() == ["(others)", "3", "1", "100%", "-", "-", "200ms", "3s", "1m30s"]


def test_what_bounds_the_numbers_is_said() -> None:
    assert statistics.known(FOUND).startswith(
        "jobd keeps a job's record for 7d after its end; removed jobs are not"
    )
    cut = {**FOUND, "truncated": True, "oldest": "2030-01-07T00:00:00Z"}
    assert "only the latest 3 jobs are counted, back to 2030-01-07T00:00:00Z" in statistics.known(cut)


def test_phases_that_no_job_had_have_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    statistics.show_times(TOTAL)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["PHASE", "JOBS", "P50", "P90", "P99", "MAX", "SHARE"],
        ["waiting", "3", "200ms", "3s", "1m30s", "1m30s", "75%"],
        ["running", "3", "200ms", "3s", "1m30s", "1m30s", "25%"],
    ]


@pytest.mark.parametrize(("columns", "width"), [("80", 48), ("40", 15), ("300", 60)])
def test_plots_fit_the_terminal(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    intervals = [{"start": f"2030-01-01T00:{n:02}:00Z", "completed": n, "failed": n // 2} for n in range(60)]
    ended, failed = statistics.over_time(intervals).splitlines()
    assert ended.startswith("ended ")
    assert failed.startswith("failed ")
    assert max(len(ended), len(failed)) <= int(columns) + 1
    assert len(failed) - statistics.NAME_WIDTH <= max(width, 60)


def test_the_reasons_are_in_one_line() -> None:
    assert statistics.reasons({"exit-code": 2, "oom\x1b": 1}) == "failed: 2 exit-code, 1 oom?\n"
