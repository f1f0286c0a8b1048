"""What waits to be sent to the daemon: bounded in bytes, as it will be sent, and the newest is never dropped."""

import tracemalloc
from typing import Any

import msgspec
import pytest

from jobd.wire.report import ArtifactDone, Done, InternalReports, Progress, Started
from sidecar.errors import ArtifactError
from sidecar.reporting import proxy
from sidecar.reporting.proxy import ProxySender
from sidecar.transfer.http import Request


class Daemon:
    """Takes what it is sent, or is away."""

    def __init__(self) -> None:
        self.away = True
        self.bodies: list[bytes] = []

    def deliver(self, request: Request) -> None:
        if self.away:
            raise ArtifactError("connection refused")
        assert request.body is not None
        self.bodies.append(b"".join(request.body().chunks))

    def reports(self) -> list[Any]:
        return [r for body in self.bodies for r in msgspec.json.decode(body, type=InternalReports).reports]


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def listener(daemon: Daemon) -> ProxySender:
    return ProxySender("job-1", "http://daemon.test", "token", 1.0, daemon)  # type: ignore[arg-type]


def found(n: int, content: Any) -> ArtifactDone:
    return ArtifactDone(n=n, artifact_id=f"a{n}", artifact_type="read", status="success", content=content)


def test_unsent_reports_are_bounded_in_bytes(
    listener: ProxySender, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "MOST_WAITING_BYTES", 100_000, raising=False)
    for n in range(1, 100):
        listener.send(found(n, "x" * 9_000))
    daemon.away = False
    listener.send(Done(n=100))
    assert sum(len(body) for body in daemon.bodies) <= 100_000 + 100
    assert [report.n for report in daemon.reports()] == list(range(90, 101)), "the newest are kept"


def test_a_report_over_the_bound_is_sent_alone(
    listener: ProxySender, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "MOST_WAITING_BYTES", 1000, raising=False)
    listener.send(Started(n=1))
    daemon.away = False
    listener.send(found(2, "x" * 9_000))
    assert [report.n for report in daemon.reports()] == [2]


def test_unsent_reports_are_kept_encoded(listener: ProxySender) -> None:
    tracemalloc.start()
    try:
        for n in range(5):
            listener.send(found(n, [[] for _ in range(40_000)]))
        assert tracemalloc.get_traced_memory()[0] < 5 * 40_000 * 5
    finally:
        tracemalloc.stop()


def test_reports_are_sent_in_bodies_of_a_bounded_size(listener: ProxySender, daemon: Daemon) -> None:
    for n in range(8):
        listener.send(found(n, "x" * 300_000))
    daemon.away = False
    listener.send(Done(n=8))
    assert [report.n for report in daemon.reports()] == list(range(9))
    assert max(map(len, daemon.bodies)) <= proxy.MOST_BODY_BYTES


def test_only_the_newest_progress_of_an_artifact_is_queued(listener: ProxySender, daemon: Daemon) -> None:
    for n in range(1, 50):
        listener.send(Progress(n=n, artifact_id="a" if n % 2 else "b", bytes=n))
    daemon.away = False
    listener.send(Done(n=50))
    assert [report.n for report in daemon.reports()] == [48, 49, 50]


def test_a_name_of_arbitrary_bytes_is_sent_escaped(listener: ProxySender, daemon: Daemon) -> None:
    daemon.away = False
    listener.send(found(1, ["caf\udce9"]))
    assert daemon.reports()[0].content == [r"caf\xe9"]
