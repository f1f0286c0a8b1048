"""Cores in use come from what the daemon measured and from nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.output.usage import WINDOW_S, CpuSamples, average_cores, cpu_text, memory_text

NOW = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)


def job(cpu_s: float | None, **more: Any) -> dict[str, Any]:
    used = {} if cpu_s is None else {"usage": {"cpuSeconds": cpu_s, "memoryPeakBytes": 5}}
    return {"id": "a", "uid": "u", **used, **more}


def after(*looks: tuple[float, float]) -> float | None:
    """The share after looks, each the time in seconds and the CPU used until then."""
    samples = CpuSamples()
    for at_s, cpu_s in looks:
        samples.add([job(cpu_s)], at_s)
    return samples.cores(job(None))


def test_the_recent_use_is_the_difference_of_samples() -> None:
    assert after((100, 7.0), (105, 12.0)) == pytest.approx(1.0)


def test_few_samples_give_no_recent_use() -> None:
    assert after() is None
    assert after((100, 7.0)) is None
    assert after((100, 7.0), (103, 12.0)) is None


def test_only_recent_samples_count() -> None:
    assert after(*((at, float(min(at, 60))) for at in range(100))) == pytest.approx(0.0)


def test_rare_samples_count_from_one_to_the_next() -> None:
    assert after((0, 0.0), (600, 0.0), (1200, 300.0)) == pytest.approx(0.5)


def test_another_attempt_resets_the_samples() -> None:
    assert after((0, 90.0), (10, 100.0), (11, 0.5)) is None


def test_samples_of_missing_jobs_are_dropped() -> None:
    samples = CpuSamples()
    samples.add([job(1.0)], 0)
    samples.add([], 5)
    samples.add([job(9.0)], 10)
    assert samples.cores(job(None)) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 8)), min_size=1, max_size=40))
def test_the_recent_use_is_between_zero_and_the_cores(steps: list[tuple[float, float]]) -> None:
    samples, at_s, cpu_s = CpuSamples(), 0.0, 0.0
    for pause_s, cores in steps:
        at_s += pause_s
        cpu_s += pause_s * cores
        samples.add([job(cpu_s)], at_s)
        share = samples.cores(job(None))
        assert share is None or -1e-6 <= share <= 8 + 1e-6


def test_a_single_sample_gives_the_average() -> None:
    started = {"startedAt": "2030-01-31T07:59:00Z"}
    assert average_cores(job(30.0, **started), NOW) == pytest.approx(0.5)
    assert average_cores(job(30.0, **started, finishedAt="2030-01-31T07:59:15Z"), NOW) == pytest.approx(2.0)
    assert average_cores(job(30.0), NOW) is None
    assert average_cores(job(None, **started), NOW) is None
    assert average_cores(job(30.0, startedAt="2030-01-31T09:00:00Z"), NOW) is None, "two clocks"


def test_unknown_use_is_printed_as_a_dash() -> None:
    limits = {"limits": {"cpu": 2, "memory": 512}}
    assert cpu_text(job(None, **limits), None) == "- / 2"
    assert cpu_text(job(1.0, **limits), 1.234) == "1.23 / 2"
    assert cpu_text(job(1.0), None) == "-"
    assert memory_text(job(1.0, **limits)) == "5 B / 512 MiB"
    assert memory_text(job(None)) == "-"


def test_the_window_of_samples_is_longer_than_its_minimum() -> None:
    assert after((0, 0.0), (WINDOW_S, 5.0)) == pytest.approx(0.5)
