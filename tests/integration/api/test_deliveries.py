"""`GET /v1/jobs/{id}/deliveries` and `POST /v1/deliveries/{id}/replay`. The engine is away: cancelled jobs have events too."""

import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.daemon import Daemon, until
from tests.support.wire import ChoosingReceiver

EXIT, COMPLETE = "orchestrator.job.exit", "orchestrator.job.complete"


def deliveries(daemon: Daemon, job_id: str, query: str = "") -> list[dict[str, Any]]:
    answer = daemon.call("GET", f"/v1/jobs/{job_id}/deliveries{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["deliveries"]
    return found


def settled(daemon: Daemon, job_id: str, states: list[str]) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        found = deliveries(daemon, job_id)
        return found if [d["state"] for d in found] == states else None

    found: list[dict[str, Any]] = until(look, f"the deliveries of {job_id} are {states}")
    return found


def cancelled(daemon: Daemon, job_id: str, url: str, **callback: Any) -> None:
    """A job that ends with two events: exit and complete."""
    daemon.submit(id=job_id, image="busybox", callback={"url": url, **callback})
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    daemon.ended(job_id)


def test_a_refused_delivery_is_parked_and_can_be_replayed(
    lonely: Daemon, make_receiver: Callable[..., ChoosingReceiver], job_id: str
) -> None:
    receiver = make_receiver(lambda path, before: 400 if before == 0 else 204)
    cancelled(lonely, job_id, receiver.url(f"/{job_id}?token=secret"), key="another-secret")
    parked, delivered = settled(lonely, job_id, ["parked", "delivered"])
    assert (parked["eventType"], delivered["eventType"]) == (EXIT, COMPLETE)
    assert (parked["attempts"], parked["lastStatus"]) == (1, 400)
    assert "400" in parked["lastError"]
    assert (delivered["attempts"], delivered["lastStatus"]) == (1, 204)
    for delivery in (parked, delivered):
        assert (delivery["jobId"], delivery["url"]) == (job_id, receiver.url(f"/{job_id}"))
        assert "secret" not in str(delivery)
    assert delivered["deliveredAt"] > delivered["createdAt"]

    answer = lonely.call("POST", f"/v1/deliveries/{parked['id']}/replay")
    assert (answer.status, answer.json["state"], answer.json["id"]) == (202, "pending", parked["id"])
    again, _ = settled(lonely, job_id, ["delivered", "delivered"])
    assert (again["attempts"], again["eventId"]) == (2, parked["eventId"])
    first, second, third = receiver.at(f"/{job_id}?token=secret")
    assert first == third  # the same event, under its own number and id
    assert (first["jobsequence"], second["jobsequence"]) == (1, 2)


def test_all_parked_and_abandoned_deliveries_of_a_job_can_be_replayed(
    lonely: Daemon, make_receiver: Callable[..., ChoosingReceiver], job_id: str
) -> None:
    receiver = make_receiver(lambda path, before: 410 if before == 0 else 204)
    cancelled(lonely, job_id, receiver.url(f"/{job_id}"))
    settled(lonely, job_id, ["abandoned", "abandoned"])
    answer = lonely.call("POST", f"/v1/jobs/{job_id}/deliveries/replay")
    assert (answer.status, answer.json) == (202, {"replayed": 2})
    settled(lonely, job_id, ["delivered", "delivered"])
    assert [event["jobsequence"] for event in receiver.at(f"/{job_id}")] == [1, 1, 2]
    assert lonely.call("POST", f"/v1/jobs/{job_id}/deliveries/replay").json == {"replayed": 0}
    assert lonely.call("POST", "/v1/jobs/none/deliveries/replay").status == 404


def test_a_delivered_event_can_be_replayed(lonely: Daemon, make_receiver: Any, job_id: str) -> None:
    receiver = make_receiver(lambda path, before: 200)
    cancelled(lonely, job_id, receiver.url(f"/{job_id}"))
    _, complete = settled(lonely, job_id, ["delivered", "delivered"])
    assert lonely.call("POST", f"/v1/deliveries/{complete['id']}/replay").status == 202
    until(lambda: len(receiver.at(f"/{job_id}")) == 3, "it came again")
    settled(lonely, job_id, ["delivered", "delivered"])


def test_pages_of_deliveries_join(lonely: Daemon, make_receiver: Any, job_id: str) -> None:
    receiver = make_receiver(lambda path, before: 200)
    cancelled(lonely, job_id, receiver.url(f"/{job_id}"))
    whole = settled(lonely, job_id, ["delivered", "delivered"])
    first = lonely.call("GET", f"/v1/jobs/{job_id}/deliveries?limit=1").json
    assert first["deliveries"] == whole[:1]
    assert deliveries(lonely, job_id, f"?limit=1&after={first['next']}") == whole[1:]
    assert "next" not in lonely.call("GET", f"/v1/jobs/{job_id}/deliveries").json


def test_a_receiver_that_responds_410_gets_no_further_events(
    lonely: Daemon, make_receiver: Any, job_id: str
) -> None:
    receiver = make_receiver(lambda path, before: 410)
    cancelled(lonely, job_id, receiver.url(f"/{job_id}"))
    settled(lonely, job_id, ["abandoned", "abandoned"])
    assert len(receiver.at(f"/{job_id}")) == 1


def test_a_job_without_a_callback_has_none(lonely: Daemon, job_id: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    assert lonely.call("GET", f"/v1/jobs/{job_id}/deliveries").json == {"deliveries": []}


@pytest.mark.parametrize("delivery", ["0", "999999999", "9" * 19, "x", "-1", "%C2%B2", "1.0"])
def test_an_unknown_delivery_is_not_found(lonely: Daemon, delivery: str) -> None:
    answer = lonely.call("POST", f"/v1/deliveries/{delivery}/replay")
    assert (answer.status, answer.json["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("path", "field"),
    [("?after=x", "after"), ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?state=parked", "state")],
)
def test_wrong_parameters_are_named(lonely: Daemon, job_id: str, path: str, field: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    answer = lonely.call("GET", f"/v1/jobs/{job_id}/deliveries{path}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_the_settings_control_tries_and_rounds(
    make_daemon: Callable[..., Daemon], make_receiver: Any, no_engine: dict[str, str]
) -> None:
    receiver = make_receiver(lambda path, before: 503)
    environ = {
        **no_engine,
        "DISPATCHER_MAX_RETRIES": "2",
        "DISPATCHER_MAX_REQUEUES": "1",
        "DISPATCHER_INITIAL_BACKOFF": "1ms",
        "DISPATCHER_MAX_BACKOFF": "2ms",
        "DISPATCHER_BREAKER_THRESHOLD": "1000",
        "DISPATCHER_BREAKER_COOLDOWN": "1ms",
    }
    daemon = make_daemon(environ=environ).start()
    cancelled(daemon, "job", receiver.url("/job"), events=[COMPLETE])
    (parked,) = settled(daemon, "job", ["parked"])
    assert (parked["attempts"], parked["lastStatus"]) == ((1 + 2) * (1 + 1), 503)
    assert len(receiver.at("/job")) == 6


def test_with_an_open_breaker_events_wait_on_disk(
    make_daemon: Callable[..., Daemon], make_receiver: Any, no_engine: dict[str, str]
) -> None:
    receiver = make_receiver(lambda path, before: 500)
    environ = {
        **no_engine,
        "DISPATCHER_BREAKER_THRESHOLD": "1",
        "DISPATCHER_BREAKER_COOLDOWN": "1h",
        "DISPATCHER_MAX_RETRIES": "0",
    }
    daemon = make_daemon(environ=environ).start()
    cancelled(daemon, "first", receiver.url("/first"))
    until(lambda: receiver.at("/first"), "the first try")
    metric = 'dispatcher_breakers{state="open"} 1.0'
    until(lambda: metric in metrics(daemon), "the breaker is open")
    cancelled(daemon, "second", receiver.url("/second"))
    assert [d["state"] for d in deliveries(daemon, "second")] == ["pending", "pending"]
    daemon.stop()
    assert receiver.at("/second") == []
    assert len(receiver.at("/first")) == 1


def metrics(daemon: Daemon) -> str:
    with urllib.request.urlopen(daemon.metrics, timeout=30) as response:
        text: str = response.read().decode()
    return text


def test_a_receiver_that_never_answers_costs_the_timeout(
    make_daemon: Callable[..., Daemon], make_receiver: Any, no_engine: dict[str, str]
) -> None:
    release = threading.Event()
    receiver = make_receiver(lambda path, before: 200 + 4 * release.wait(60))
    environ = {
        **no_engine,
        "DISPATCHER_HTTP_TIMEOUT": "100ms",
        "DISPATCHER_MAX_RETRIES": "0",
        "DISPATCHER_MAX_REQUEUES": "0",
    }
    daemon = make_daemon(environ=environ).start()
    try:
        cancelled(daemon, "job", receiver.url("/job"), events=[COMPLETE])
        (parked,) = settled(daemon, "job", ["parked"])
    finally:
        release.set()
    assert "lastStatus" not in parked
    assert parked["lastError"]


@pytest.mark.parametrize(("workers", "buffer", "at_once"), [(1, 100, 1), (3, 100, 3), (10, 2, 2)])
def test_no_more_deliveries_at_once_than_workers_nor_than_the_memory_holds(
    make_daemon: Callable[..., Daemon],
    make_receiver: Any,
    no_engine: dict[str, str],
    workers: int,
    buffer: int,
    at_once: int,
) -> None:
    lock, release = threading.Lock(), threading.Event()
    state = {"now": 0, "most": 0}

    def choose(path: str, before: int) -> int:
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        release.wait(60)
        with lock:
            state["now"] -= 1
        return 204

    receivers = [
        make_receiver(choose) for _ in range(8)
    ]  # each has its own host: one host never gets all workers
    daemon = make_daemon(
        environ={
            **no_engine,
            "DISPATCHER_WORKERS": str(workers),
            "DISPATCHER_BUFFER_SIZE": str(buffer),
            "DISPATCHER_HTTP_TIMEOUT": "60s",
        }
    ).start()
    try:
        for number, receiver in enumerate(receivers):
            cancelled(daemon, f"job-{number}", receiver.url("/"), events=[COMPLETE])
        until(lambda: state["now"] == at_once, "all that may go are under way")
    finally:
        release.set()
    for number in range(8):
        settled(daemon, f"job-{number}", ["delivered"])
    assert state["most"] == at_once
    assert [len(receiver.at("/")) for receiver in receivers] == [1] * 8


@pytest.mark.parametrize(("policy", "state"), [("local", "delivered"), ("strict", "parked")])
def test_the_egress_policy_holds(
    make_daemon: Callable[..., Daemon],
    make_receiver: Any,
    no_engine: dict[str, str],
    policy: str,
    state: str,
) -> None:
    receiver = make_receiver(lambda path, before: 204)
    daemon = make_daemon(environ={**no_engine, "EGRESS_POLICY": policy}).start()
    cancelled(daemon, "job", receiver.url("/job"), events=[COMPLETE])
    (delivery,) = settled(daemon, "job", [state])
    assert len(receiver.at("/job")) == (1 if state == "delivered" else 0)
    assert ("lastError" in delivery) == (state == "parked")


def test_no_callback_goes_to_the_daemon_itself(lonely: Daemon, job_id: str) -> None:
    cancelled(lonely, job_id, f"{lonely.http}/internal/events", events=[COMPLETE])
    (parked,) = settled(lonely, job_id, ["parked"])
    assert "lastStatus" not in parked  # nothing was sent
