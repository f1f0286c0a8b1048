"""Every row of README's table for users of the Go service has a test here or in `test_differences_of_runs.py`."""

import base64
import hashlib
import hmac
import json
import re
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.e2e.differences.differences import EVENT, REFUSED, claim
from tests.support.daemon import Answer, Daemon, Receiver, until
from tests.support.wire import ChoosingReceiver, connect, exchange, head

ROOT = Path(__file__).resolve().parents[3]


def test_every_row_is_run_and_every_claim_has_its_row() -> None:
    section = (
        (ROOT / "README.md").read_text().partition("## For users of the Go service")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| (.+?) \| .*? \| .+ \|$", section, re.MULTILINE)
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_differences*.py"))
    claims = re.findall(r'^@claim\("(.+)"\)$', tests, re.MULTILINE)
    assert len(rows) == len(set(rows)) > 30
    assert sorted(rows) == sorted([*REFUSED, *claims])


@pytest.mark.parametrize("row", REFUSED)
def test_invalid_specs_are_refused_with_their_field(daemon: Daemon, row: str) -> None:
    for fields, field in REFUSED[row]:
        answer = daemon.call("POST", "/v1/jobs", {"id": "refused", "image": "busybox", **fields})
        assert answer.status == 400, (row, fields)
        assert answer.json["field"].startswith(field), (row, answer.json)


def post(daemon: Daemon, body: bytes, **headers: str) -> Answer:
    lines = {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}
    given = {name: text for name, text in lines.items() if text}
    return exchange(daemon, head("POST", "/v1/jobs", **given) + body)


@claim("a repeated name in an object")
def test_two_names_of_one_field_are_refused(daemon: Daemon) -> None:
    answer = post(daemon, b'{"id":"a","image":"busybox","image":"busybox"}')
    assert (answer.status, answer.json["field"]) == (400, "image")


@claim("bytes that are not UTF-8, half surrogate pairs, anything after the object")
def test_text_that_is_no_json(daemon: Daemon) -> None:
    for body in (
        b'{"id":"a","image":"b\xff"}',
        b'{"id":"a","image":"\\ud800"}',
        b'{"id":"a","image":"busybox"} x',
    ):
        assert post(daemon, body).status == 400


@claim("a body without `Content-Type`; one as `application/json; charset=utf-8`")
def test_content_types(daemon: Daemon, worker_image: str, job_id: str) -> None:
    body = json.dumps({"id": job_id, "image": worker_image, "command": "true"}).encode()
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json"):
        assert post(daemon, body, Content_Type=kind).status == 415, kind
    assert post(daemon, body, Content_Type="application/json; charset=utf-8").status == 202
    daemon.ended(job_id)


@claim("TCP")
def test_tcp_needs_a_key(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon(environ={"DOCKER_HOST": "unix:///nonexistent"}, flags=()).start()
    assert daemon.http.startswith("http://127.0.0.1:")
    assert daemon.call("GET", "/v1/jobs").status == 401
    key = (daemon.folder / "state" / "api-key").read_text().strip()
    assert daemon.call("GET", "/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status == 200
    daemon.stop()
    daemon.flags = ("--no-auth", "--host", "0.0.0.0")
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        daemon.start()


@claim("requests with `Origin` or a foreign `Host`")
def test_requests_of_web_pages(daemon: Daemon) -> None:
    assert daemon.call("GET", "/v1/jobs", headers={"Origin": "http://localhost"}).status == 403
    with connect(daemon) as sock:
        sock.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        assert b" 403 " in sock.recv(100)


@claim("`callback.key` with spaces that begins with `whsec_`")
def test_several_keys(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> None:
    callback = {
        "url": receiver.url(f"/{job_id}"),
        "key": "whsec_abc123 whsec_b2xk",
        "events": [EVENT + "exit"],
    }
    daemon.submit(id=job_id, image=worker_image, command="true", callback=callback)
    daemon.ended(job_id)
    ((headers, body),) = until(lambda: receiver.raw(f"/{job_id}"), "the event")
    expected = hmac.new(b"whsec_abc123", body, hashlib.sha256).hexdigest()
    assert headers["X-Signature-256"] == f"sha256={expected}"
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    made = [
        base64.b64encode(hmac.new(k, signed, hashlib.sha256).digest()).decode()
        for k in (b"whsec_abc123", b"old")
    ]
    assert headers["Webhook-Signature"] == " ".join(f"v1,{one}" for one in made)


@claim("an image that cannot be pulled")
def test_a_missing_image_fails_the_job(daemon: Daemon, job_id: str) -> None:
    daemon.submit(id=job_id, image=f"no-such-image-{uuid.uuid4().hex}:1", pull="never")
    assert daemon.ended(job_id)["reason"] == "image-not-found"


@claim("`exitCode` in the exit event of a worker that the engine could not start")
def test_a_start_that_fails(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> None:
    callback = {"url": receiver.url(f"/{job_id}")}
    daemon.submit(id=job_id, image=worker_image, command=["no-such-command"], callback=callback)
    assert daemon.ended(job_id)["exitCode"] == 127
    codes = [event["data"]["exitCode"] for event in receiver.complete(f"/{job_id}")[-2:]]
    assert codes == [127, 127]


@claim("`timeoutSeconds`")
def test_a_timeout_ends_the_worker(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(
        id=job_id, image=worker_image, command="trap 'exit 0' TERM; sleep 600 & wait", timeoutSeconds=1
    )
    assert daemon.ended(job_id)["reason"] == "timeout"
    engine = docker.from_env()
    assert engine.containers.get(f"job-{job_id}-worker").status == "exited"
    engine.close()


@claim("`DELETE`")
def test_delete_answers_at_once(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(id=job_id, image=worker_image, command="trap '' TERM; sleep 600 & wait; sleep 600")
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "it runs")
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
    again = {"id": job_id, "image": worker_image, "command": "true"}
    refused = daemon.call("POST", "/v1/jobs", again)
    assert (refused.status, refused.json["code"]) == (409, "deleting")
    until(lambda: daemon.call("POST", "/v1/jobs", again).status == 202, "the id is free")
    daemon.ended(job_id)


@claim("`GET /v1/jobs`")
def test_a_page_of_jobs(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon(environ={"DOCKER_HOST": "unix:///nonexistent"}).start()
    for number in range(103):
        daemon.submit(id=f"j{number}", image="busybox")
    first = daemon.call("GET", "/v1/jobs").json
    assert [job["id"] for job in first["jobs"]] == [f"j{number}" for number in range(102, 2, -1)]
    rest = daemon.call("GET", f"/v1/jobs?cursor={first['next']}").json
    assert [job["id"] for job in rest["jobs"]] == ["j2", "j1", "j0"]
    assert "next" not in rest
    assert len(daemon.call("GET", "/v1/jobs?limit=1000").json["jobs"]) == 103


@claim("artifact events")
def test_artifact_events_need_no_way_back(
    make_daemon: Callable[..., Daemon], receiver: Receiver, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"CALLBACK_PROXY_URL": "http://127.0.0.1:1"}).start()
    write = {"id": "w", "type": "write", "in": "x", "out": "f"}
    callback = {"url": receiver.url(f"/{job_id}")}
    daemon.submit(id=job_id, image=worker_image, command="true", artifacts=[write], callback=callback)
    events = receiver.complete(f"/{job_id}")
    assert (events[0]["type"], events[0]["data"]["status"]) == (EVENT + "artifact", "success")


@claim("a failed delivery")
def test_a_delivery_is_parked_and_replayed(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    receiver = ChoosingReceiver(lambda path, before: 500 if before == 0 else 204)
    environ = {
        "DISPATCHER_MAX_RETRIES": "0",
        "DISPATCHER_MAX_REQUEUES": "0",
    }
    daemon = make_daemon(environ=environ).start()
    callback = {"url": receiver.url("/"), "events": [EVENT + "exit"]}
    daemon.submit(id=job_id, image=worker_image, command="true", callback=callback)

    def delivery() -> dict[str, Any]:
        (one,) = daemon.call("GET", f"/v1/jobs/{job_id}/deliveries").json["deliveries"] or [{}]
        return dict(one)

    until(lambda: delivery().get("state") == "parked", "it is parked")
    assert daemon.call("POST", f"/v1/deliveries/{delivery()['id']}/replay").status == 202
    until(lambda: delivery()["state"] == "delivered", "it is delivered")
    receiver.close()


@claim("metrics")
def test_metrics_have_their_page(daemon: Daemon) -> None:
    with urllib.request.urlopen(daemon.metrics, timeout=30) as response:
        text = response.read().decode()
    page = (ROOT / "docs" / "metrics.md").read_text()
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    ours = {
        name
        for name in families
        if not name.startswith(("process_", "python_")) and not name.endswith("_created")
    }
    assert len(ours) > 20
    assert {name for name in ours if f"`{name}`" not in page} == set()


@claim("restart")
def test_a_job_survives_a_restart_of_jobd(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    daemon.submit(id=f"{job_id}-before", image=worker_image, command="exit 4")
    daemon.ended(f"{job_id}-before")
    daemon.submit(id=job_id, image=worker_image, command="sleep 2; exit 5")
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "it runs")
    daemon.kill()
    daemon.start()
    assert daemon.ended(job_id)["exitCode"] == 5
    assert daemon.call("GET", f"/v1/jobs/{job_id}-before").json["exitCode"] == 4
