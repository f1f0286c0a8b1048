"""Spans of real jobs at a small OTLP/HTTP receiver; an endpoint that is away, slow or wrong harms no job; a kill loses at most spans."""

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.daemon import DEADLINE_S, Daemon
from tests.support.wire import ChoosingReceiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


class Collector:
    """Keeps the spans that arrive at `/v1/traces`. `hold`: requests wait for it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.hold: threading.Event | None = None
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.hold is not None:
                    collector.hold.wait(DEADLINE_S)
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    names = [
                        a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
                    ]
                    collector.services.update(names)
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_address[1]}",
            **QUICK,
        }

    def of(self, job_id: str) -> list[Span]:
        return [span for span in self.spans if attributes(span).get("job.id") == job_id]

    def close(self) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()


def attributes(span: Span) -> dict[str, str]:
    return {a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_is_a_span_with_its_phases_and_deliveries(
    collector: Collector, make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    receiver = ChoosingReceiver(lambda path, n: 503 if n == 0 else 204)
    daemon = make_daemon(environ=collector.environ).start()
    spec = {
        "id": "traced",
        "image": worker_image,
        "command": "cat in.txt; exit 3",
        "artifacts": [{"id": "in", "type": "write", "in": "x", "out": "in.txt"}],
        "callback": {"url": receiver.url("/hook?secret=1")},
    }
    assert daemon.call("POST", "/v1/jobs", spec, {"traceparent": PARENT}).status == 202
    daemon.ended("traced")
    until(lambda: len(receiver.requests) >= 5)
    daemon.stop()
    receiver.close()
    spans = collector.of("traced")
    (job,) = [span for span in spans if span.name == "job"]
    assert (job.trace_id.hex(), job.parent_span_id.hex()) == (TRACE, "00f067aa0ba902b7")
    assert (job.status.code, job.status.message, attributes(job)["job.exit_code"]) == (2, "exit-code", "3")
    phases = [span for span in spans if "job.phase" in attributes(span)]
    assert [attributes(span)["job.phase"] for span in phases] == ["queued", "pulling", "inputs", "running"]
    deliveries = [span for span in spans if span.name == "job delivery"]
    assert len(deliveries) == len(receiver.requests)
    assert [attributes(span)["http.response.status_code"] for span in deliveries].count("503") == 1
    assert {span.parent_span_id for span in [*phases, *deliveries]} == {job.span_id}
    assert {span.trace_id for span in spans} == {job.trace_id}
    for before, after in pairwise(phases):
        assert before.end_time_unix_nano <= after.start_time_unix_nano
    assert phases[-1].end_time_unix_nano <= job.end_time_unix_nano
    assert collector.services == {"jobd"}
    assert "secret" not in str(spans)


def test_phases_before_and_after_a_kill_are_children_of_one_job(
    collector: Collector, make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    daemon = make_daemon(environ=collector.environ).start()
    daemon.submit(
        id="killed", image=worker_image, command="until [ -e /go ]; do sleep 0.1; done", stopTimeoutSeconds=1
    )
    until(lambda: {"pulling"} <= {attributes(span).get("job.phase") for span in collector.of("killed")})
    daemon.kill()
    daemon.start()
    daemon.call("POST", "/v1/jobs/killed/cancel", {})
    daemon.ended("killed")
    daemon.stop()
    spans = collector.of("killed")
    (job,) = [span for span in spans if span.name == "job"]
    assert job.parent_span_id == b""
    assert {span.parent_span_id for span in spans if span.name != "job"} == {job.span_id}
    assert {attributes(span).get("job.phase") for span in spans} == {"queued", "pulling", "running", None}


@pytest.mark.parametrize("endpoint", ["away", "slow", "nonsense"])
def test_an_endpoint_that_takes_no_spans_harms_no_job(
    collector: Collector, make_daemon: Callable[..., Daemon], worker_image: str, endpoint: str
) -> None:
    environ = dict(collector.environ)
    if endpoint == "slow":
        collector.hold = threading.Event()
    else:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = (
            "http://127.0.0.1:1" if endpoint == "away" else "no url at all"
        )
    daemon = make_daemon(
        environ={**environ, "OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2"}
    ).start()
    ids = [daemon.submit(id=f"job-{n}", image=worker_image, command="true") for n in range(4)]
    assert {daemon.ended(job_id)["status"] for job_id in ids} == {"completed"}
    daemon.stop()
    assert collector.spans == []


def test_without_an_endpoint_opentelemetry_is_not_imported(tmp_path: Path) -> None:
    code = "import sys, jobd.app, jobd.process.serve; print([m for m in sys.modules if m.startswith(('opentelemetry', 'google'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
