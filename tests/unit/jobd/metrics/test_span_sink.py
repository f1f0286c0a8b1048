"""Spans on their way out: a defect loses spans and nothing else; the SDK gets ids, parents and times as they are."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from jobd.composition import tracing
from jobd.events.delivery.policies.response_policy import Answer
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Trace
from jobd.jobs.state import facts
from jobd.jobs.state.machine import step
from jobd.metrics.otel import OtelExport
from jobd.metrics.span_sink import JobSpans, TracedSender
from jobd.metrics.spans import Span
from jobd.wire import event
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import START

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SPEC = JobSpec(id="a", image="b")
BODY = event.encode(
    event_id="u1-1", type=event.EXIT, job_id="a", job_uid="u1", timestamp=START, sequence=1, data={}
)


class Broken:
    """A sink with a defect."""

    calls = 0

    def add(self, span: Span) -> None:
        self.calls += 1
        raise RuntimeError("defect")

    def close(self) -> None:
        pass


class Sender:
    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        return Answer("answer", status=204)

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        answered(Answer("network", text="no"))
        return True


def ended_job(spans: JobSpans, trace: str | None) -> None:
    told = None if trace is None else Trace(parent=trace)
    record = new_record(SPEC, now=START, owner=None, digest="d", has_spool=False, trace=told)
    for seconds, fact in ((2, facts.Admitted()), (5, facts.SetupFailed("engine-error", "no"))):
        after = step(record, SPEC, fact, START + timedelta(seconds=seconds)).record
        spans.changed(record, after, SPEC)
        record = after


def exported(trace: str | None) -> InMemorySpanExporter:
    memory = InMemorySpanExporter()
    export = OtelExport("1.0", memory)
    ended_job(JobSpans(export), trace)
    export.close()
    return memory


@pytest.mark.parametrize("trace", [None, PARENT])
def test_the_spans_of_a_job_are_one_tree(trace: str | None) -> None:
    queued, pulling, job = exported(trace).get_finished_spans()
    assert [span.name for span in (queued, pulling, job)] == ["job queued", "job pulling", "job"]
    assert len({span.context.trace_id for span in (queued, pulling, job)}) == 1
    for phase in (queued, pulling):
        assert phase.parent is not None
        assert phase.parent.span_id == job.context.span_id
    assert job.start_time == queued.start_time
    assert job.end_time == pulling.end_time
    assert (job.status.status_code, job.status.description) == (StatusCode.ERROR, "engine-error")
    if trace is None:
        assert job.parent is None
    else:
        assert job.parent is not None
        assert f"{job.context.trace_id:032x}-{job.parent.span_id:016x}" in trace
    assert job.resource.attributes["service.name"] == "jobd"


def test_a_trace_that_is_not_sampled_is_not_exported() -> None:
    assert exported(PARENT[:-2] + "00").get_finished_spans() == ()


def test_the_sampler_decides_for_a_whole_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    counts = {len(exported(None).get_finished_spans()) for _ in range(40)}
    assert counts == {0, 3}


async def test_a_defect_loses_spans_alone(caplog: pytest.LogCaptureFixture) -> None:
    sink, answers = Broken(), list[Answer]()
    ended_job(JobSpans(sink), None)
    sender = TracedSender(Sender(), sink)
    assert (await sender.send("http://h/x", None, "1", BODY)).status == 204
    assert (await sender.send("http://h/x", None, "1", b"damaged")).status == 204
    assert sender.try_send("http://[/x", None, "1", BODY, answers.append)
    assert [answer.kind for answer in answers] == ["network"]
    assert sink.calls >= 3
    assert len(caplog.records) == 2, "once for the jobs, once for the deliveries"


async def test_each_request_of_a_delivery_is_a_span() -> None:
    memory = InMemorySpanExporter()
    export = OtelExport("1.0", memory)
    sender = TracedSender(Sender(), export)
    await sender.send("http://h:1/x?secret=1", "key", "1", BODY)
    sender.try_send("http://h:1/x", "key", "1", BODY, lambda answer: None)
    await asyncio.to_thread(export.close)
    good, bad = memory.get_finished_spans()
    assert good.attributes is not None
    assert (good.attributes["http.response.status_code"], good.status.status_code) == (204, StatusCode.UNSET)
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, "network")
    assert "secret" not in str(good.attributes)


def test_nothing_is_built_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert tracing.build_spans() is None


@pytest.mark.parametrize("name", tracing.PROTOCOLS)
def test_another_protocol_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, "grpc")
    assert tracing.build_spans() is None
    assert "no spans are sent" in caplog.text


def test_the_sdk_is_heard_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    export = OtelExport("1.0", InMemorySpanExporter())
    exporter_log = logging.getLogger("opentelemetry.exporter.some")
    for _ in range(3):
        exporter_log.warning("the endpoint is %s", "away" * 1000)
    exporter_log.info("nothing")
    (record,) = [one for one in caplog.records if one.message == "spans may be lost"]
    assert record.__dict__["error"].startswith("the endpoint is away")
    assert len(record.__dict__["error"]) == 256
    export.close()


class Hanging(SpanExporter):
    """An endpoint that does not answer."""

    def export(self, spans: object) -> None:  # type: ignore[override]
        import time

        time.sleep(5)


def test_an_endpoint_that_does_not_answer_delays_the_end_by_a_bound(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jobd.metrics.otel.CLOSE_S", 0.2)
    export = OtelExport("1.0", Hanging())
    ended_job(JobSpans(export), None)
    export.close()
    assert "the last spans are lost" in caplog.text
