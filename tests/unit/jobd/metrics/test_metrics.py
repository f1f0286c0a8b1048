"""The metrics as Prometheus reads them: the contract's names and labels, bounded whatever comes."""

import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobd.jobs.record.attempt import Attempt
from jobd.jobs.record.parts import Ended, Failure, Removal, Setup
from jobd.jobs.record.record import Record
from jobd.jobs.record.states import Done, Pulling, Queued, State
from jobd.metrics.jobs import JobObserver
from jobd.metrics.metrics import CONTENT_TYPE, MAX_IMAGES, Metrics
from jobd.wire.job import JobSpec
from tests.support.fakes.clock import FakeClock

NOW = FakeClock().now()


def samples(metrics: Metrics) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float:
    (sample,) = [sample for sample in samples(metrics)[name] if sample.labels == labels]
    return float(sample.value)


def record(state: State | None = None) -> Record:
    return Record(uid="u", id="a", created_at=NOW, attempt=Attempt(state=state or Queued(since=NOW)))


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


SPEC = JobSpec(id="a", image="busybox")


def test_requests_are_counted_by_method_template_and_class() -> None:
    metrics = Metrics()
    metrics.http_request("GET", "/v1/jobs/{id}", 200, 0.01)
    metrics.http_request("GET", "/v1/jobs/{id}", 204, 0.01)
    metrics.http_request("POST", "/v1/jobs", 400, 0.01)
    metrics.http_request("POST", "/v1/jobs", 503, 0.01)
    assert value(metrics, "http_requests_total", method="GET", path="/v1/jobs/{id}", status="2xx") == 2
    assert value(metrics, "http_errors_total", method="POST", path="/v1/jobs", status="4xx") == 1
    assert value(metrics, "http_errors_total", method="POST", path="/v1/jobs", status="5xx") == 1
    assert (
        value(metrics, "http_request_duration_seconds_count", method="POST", path="/v1/jobs", status="4xx")
        == 1
    )
    assert len(samples(metrics)["http_errors_total"]) == 2


def test_a_made_up_method_makes_no_new_series() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.http_request(f"M{number}", "/x", 405, 0.0)
    assert value(metrics, "http_requests_total", method="other", path="/x", status="4xx") == 50


def test_images_are_capped_and_what_is_over_is_other() -> None:
    metrics = Metrics()
    for number in range(MAX_IMAGES + 50):
        metrics.job_submitted(f"image-{number}")
    metrics.job_submitted("image-0")
    assert len(samples(metrics)["jobs_total"]) == MAX_IMAGES + 1
    assert value(metrics, "jobs_total", image="other") == 50
    assert value(metrics, "jobs_total", image="image-0") == 2


def test_a_jobs_life_is_counted() -> None:
    metrics = Metrics()
    observer = JobObserver(metrics)
    observer.accepted(SPEC)
    assert value(metrics, "jobs_total", image="busybox") == 1
    assert value(metrics, "jobs_active", image="busybox") == 1
    admitted = record(Pulling(since=after(3), setup=Setup(admitted_at=after(3))))
    observer.changed(record(), admitted, SPEC)
    assert value(metrics, "job_queue_wait_seconds_sum") == 3
    assert value(metrics, "job_phase_duration_seconds_sum", phase="queued") == 3
    running = admitted.change(log=admitted.log.change(size_bytes=70))
    observer.changed(admitted, running, SPEC)
    observer.changed(running, running.change(log=running.log.change(size_bytes=100)), SPEC)
    assert value(metrics, "job_log_bytes_total") == 100
    worker = Ended(asked_at=after(3), started_at=after(4), exited_at=after(6), exit_code=0)
    done = Done(finished_at=after(9), setup=Setup(admitted_at=after(3)), worker=worker)
    ended = running.with_state(done)
    observer.changed(running, ended, SPEC)
    assert value(metrics, "job_duration_seconds_sum", image="busybox", success="true") == 2
    assert value(metrics, "jobs_ended_total", reason="completed") == 1
    assert value(metrics, "job_phase_duration_seconds_sum", phase="pulling") == 6
    assert value(metrics, "jobs_active", image="busybox") == 0
    observer.changed(ended, ended.with_state(done.change(removal=Removal())), SPEC)
    assert value(metrics, "job_duration_seconds_count", image="busybox", success="true") == 1
    assert value(metrics, "job_queue_wait_seconds_count") == 1
    assert "job_errors_total" not in samples(metrics)


def test_a_job_that_failed_is_an_error_and_its_reason_is_counted() -> None:
    metrics = Metrics()
    worker = Ended(asked_at=NOW, started_at=NOW, exited_at=after(1))
    ended = record(Done(finished_at=after(1), failure=Failure(reason="timeout"), worker=worker))
    JobObserver(metrics).changed(record(), ended, SPEC)
    assert value(metrics, "job_errors_total", image="busybox", success="false") == 1
    assert value(metrics, "job_duration_seconds_sum", image="busybox", success="false") == 1
    assert value(metrics, "jobs_ended_total", reason="timeout") == 1


def test_a_job_whose_worker_never_ran_took_no_time() -> None:
    metrics = Metrics()
    ended = record(Done(finished_at=after(100), failure=Failure(reason="image-not-found")))
    JobObserver(metrics).changed(record(), ended, SPEC)
    assert value(metrics, "job_duration_seconds_count", image="busybox", success="false") == 1
    assert value(metrics, "job_duration_seconds_sum", image="busybox", success="false") == 0


def test_a_job_that_was_cancelled_is_neither_an_error_nor_a_run() -> None:
    metrics = Metrics()
    observer = JobObserver(metrics)
    observer.accepted(SPEC)
    worker = Ended(asked_at=NOW, started_at=NOW)
    failure = Failure(reason="cancelled")
    ended = record(Done(finished_at=NOW, cancelled=True, failure=failure, worker=worker))
    observer.changed(record(), ended, SPEC)
    assert value(metrics, "jobs_ended_total", reason="cancelled") == 1
    assert value(metrics, "jobs_active", image="busybox") == 0
    assert not {"job_errors_total", "job_duration_seconds_count"} & set(samples(metrics))


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_the_process_is_measured() -> None:
    found = samples(Metrics())
    for name in (
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "python_info",
    ):
        assert found[name][0].value > 0, name


def test_a_job_of_before_a_restart_is_active_and_not_submitted_again() -> None:
    metrics = Metrics()
    JobObserver(metrics).resumed(SPEC.image)
    assert value(metrics, "jobs_active", image="busybox") == 1
    assert "jobs_total" not in samples(metrics)


def test_engine_calls_are_timed_by_name_and_outcome() -> None:
    metrics = Metrics()
    metrics.engine_call("create", 0.2, True)
    metrics.engine_call("create", 0.3, False)
    assert value(metrics, "engine_call_duration_seconds_sum", call="create", ok="true") == 0.2
    assert value(metrics, "engine_call_duration_seconds_count", call="create", ok="false") == 1


def test_two_daemons_in_one_process_do_not_share_a_registry() -> None:
    one, two = Metrics(), Metrics()
    one.log_stored(5)
    assert value(two, "job_log_bytes_total") == 0
    assert CONTENT_TYPE.startswith("text/plain")
