"""Every row of README's table for users of the Go service, run: what its last column says is what happens.

A row of the table needs a claim here, and the other way round.
"""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import re
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import docker
import pytest

from tests.support.daemon import Answer, Daemon, Receiver, until
from tests.support.wire import ChoosingReceiver, connect, exchange, head

ROOT = Path(__file__).resolve().parents[2]
EVENT = "orchestrator.job."
READ_AFTER = {"id": "out", "type": "read", "in": "out.txt", "depends": "job"}

CLAIMS: dict[str, str] = {}
"""The row's first column: the test that runs it."""
REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "unknown fields (also null), names in another case (`Image`)": [
        ({"zzz": None}, "zzz"),
        ({"Image": "x"}, "Image"),
        ({"callback": {"url": "http://h", "Key": "k"}}, "callback.Key"),
    ],
    "negative `cpu`, `memory`, `timeoutSeconds`": [
        ({"cpu": -1}, "cpu"),
        ({"memory": -1}, "memory"),
        ({"timeoutSeconds": -1}, "timeoutSeconds"),
    ],
    "`cpu` below 0.01, `memory` below 6": [({"cpu": 0.009}, "cpu"), ({"memory": 5}, "memory")],
    "unknown types in `callback.events`": [
        ({"callback": {"url": "http://h", "events": [EVENT + "start", "x"]}}, "callback.events[1]")
    ],
    "a repeated artifact id, `depends` on an unknown artifact or on itself": [
        ({"artifacts": [READ_AFTER, READ_AFTER]}, "artifacts[1].id"),
        ({"artifacts": [{**READ_AFTER, "depends": "nobody"}]}, "artifacts[0].depends"),
        ({"artifacts": [{**READ_AFTER, "depends": "out"}]}, "artifacts[0].depends"),
    ],
    "artifact ids beyond letters, digits, `-`, `_`; the id `job`": [
        ({"artifacts": [{**READ_AFTER, "id": "a b"}]}, "artifacts[0].id"),
        ({"artifacts": [{**READ_AFTER, "id": "job"}]}, "artifacts[0].id"),
    ],
    "`workspace` relative, `/`, below `/proc`, `/sys`, `/dev`, with `:`, `.`, `..`, `//`": [
        ({"workspace": path}, "workspace")
        for path in ("w", "/", "/proc/w", "/sys/w", "/dev/w", "/a:b", "/a/./b", "/a/../b", "/a//b")
    ],
    "`subdir` with a leading `/`; `out` of a file with a trailing `/`": [
        (
            {"artifacts": [{"id": "a", "type": "unarchive", "in": "a", "out": "b", "subdir": "/c"}]},
            "artifacts[0].subdir",
        ),
        ({"artifacts": [{"id": "a", "type": "write", "in": "x", "out": "f/"}]}, "artifacts[0].out"),
    ],
    "`excludes` that can match nothing (`/a`, `./a`, `a//b`, `[` without `]`)": [
        (
            {"artifacts": [{"id": "a", "type": "list", "in": ".", "excludes": [glob]}]},
            "artifacts[0].excludes[0]",
        )
        for glob in ("/a", "./a", "a//b", "[")
    ],
    "NUL in a text, a text of 128 KiB or more, an empty name or `=` in `environment`, an empty key in `meta`": [
        ({"command": "a\0"}, "command"),
        ({"command": "x" * (128 << 10)}, "command"),
        ({"environment": {"": "x"}}, "environment"),
        ({"environment": {"a=b": "x"}}, "environment"),
        ({"meta": {"": "x"}}, "meta"),
    ],
    "invalid images, URLs and paths (spaces, port 0, over 8192, 4096 or 255 characters)": [
        ({"image": "a b"}, "image"),
        ({"callback": {"url": "http://h:0/"}}, "callback.url"),
        ({"callback": {"url": "http://h/" + "x" * 8192}}, "callback.url"),
        ({"artifacts": [{**READ_AFTER, "in": "x/" * 2100}]}, "artifacts[0].in"),
    ],
}
T = TypeVar("T", bound=Callable[..., Any])


def claim(row: str) -> Callable[[T], T]:
    def note(test: T) -> T:
        assert row not in CLAIMS
        CLAIMS[row] = test.__name__
        return test

    return note


def test_every_row_is_run_and_every_claim_has_its_row() -> None:
    section = (
        (ROOT / "README.md").read_text().partition("## For users of the Go service")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| (.+?) \| .*? \| .+ \|$", section, re.MULTILINE)
    assert len(rows) == len(set(rows)) > 30
    assert sorted(rows) == sorted([*REFUSED, *CLAIMS])


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
    codes = [event["data"]["exitCode"] for event in receiver.complete(f"/{job_id}")]
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


Uploads = Callable[[], contextlib.AbstractContextManager[str]]
Run = Callable[..., tuple[dict[str, Any], dict[str, dict[str, Any]], list[dict[str, Any]]]]


@pytest.fixture
def run(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> Run:
    """Runs a job and returns its view, the data of its artifact events by their ids, and all events."""

    def go(**spec: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]], list[dict[str, Any]]]:
        callback = {"url": receiver.url(f"/{job_id}")}
        daemon.submit(**{"id": job_id, "image": worker_image, "callback": callback, **spec})
        view = daemon.ended(job_id)
        events = receiver.complete(f"/{job_id}")
        artifacts = {e["data"]["artifactId"]: e["data"] for e in events if e["type"] == EVENT + "artifact"}
        return view, artifacts, events

    return go


@claim("the content of a `list`")
def test_a_list_has_its_folders(run: Run) -> None:
    listed = {"id": "l", "type": "list", "in": "d", "depends": "job"}
    _, artifacts, _ = run(command="mkdir -p d/empty d/e; touch d/e/f", artifacts=[listed])
    assert artifacts["l"]["content"] == ["e/", "e/f", "empty/"]


@claim("outputs after a failed worker")
def test_outputs_after_a_failure(run: Run) -> None:
    outputs = [{**READ_AFTER, "id": when, "when": when} for when in ("success", "failure", "always")]
    view, artifacts, _ = run(command="echo 1 > out.txt; exit 3", artifacts=[*outputs, READ_AFTER])
    assert sorted(artifacts) == ["always", "failure"]
    states = {one["id"]: one["status"] for one in view["artifacts"]}
    assert states == {"success": "skipped", "out": "skipped", "failure": "success", "always": "success"}


@claim("an artifact that depends on a failed one")
def test_artifacts_that_depend_on_a_failed_one(run: Run) -> None:
    first = {"id": "first", "type": "read", "in": "none", "depends": "job"}
    _, artifacts, _ = run(command="echo 1 > out.txt", artifacts=[first, {**READ_AFTER, "depends": "first"}])
    assert artifacts["out"]["status"] == "failed"
    assert "first" in artifacts["out"]["error"]


@claim("the status while outputs are transferred, and when one fails")
def test_the_status_waits_for_the_outputs(
    daemon: Daemon, worker_image: str, job_id: str, stalling: Uploads
) -> None:
    with stalling() as url:
        upload = {"id": "up", "type": "upload", "in": "out.txt", "out": url, "depends": "job"}
        daemon.submit(id=job_id, image=worker_image, command="echo 1 > out.txt", artifacts=[upload])
        until(
            lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "outputs", "outputs are moved"
        )
        assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running"
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "output-failed", 0)


@pytest.fixture
def stalling() -> Iterator[Uploads]:
    """Makes receivers of uploads that answer 403 when their block ends, and not before."""

    @contextlib.contextmanager
    def serving() -> Iterator[str]:
        release = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                release.wait(60)
                self.send_response(403)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://host.docker.internal:{server.server_address[1]}/"
        finally:
            release.set()
            made.append(server)

    made: list[ThreadingHTTPServer] = []
    yield serving
    for server in made:
        server.shutdown()
        server.server_close()


def lines_of(events: list[dict[str, Any]]) -> list[str]:
    return [line for event in events if event["type"] == EVENT + "log" for line in event["data"]["lines"]]


@claim("a missing output")
def test_a_missing_output_fails_at_once(run: Run) -> None:
    view, artifacts, _ = run(command="true", artifacts=[READ_AFTER])
    assert (view["status"], view["reason"]) == ("failed", "output-failed")
    assert artifacts["out"]["status"] == "failed"


@claim("a line in a log event")
def test_a_log_line_is_unchanged(run: Run) -> None:
    _, _, events = run(command="echo first; echo; echo last")
    assert lines_of(events) == ["first", "", "last"]


@pytest.fixture(scope="module")
def image(docker_client: docker.DockerClient, worker_image: str) -> Iterator[str]:
    """An image with an entrypoint, and with a file where workspaces are."""
    tag = f"jobd-test-{uuid.uuid4().hex[:10]}:1"
    lines = f'FROM {worker_image}\nRUN mkdir /workspace && touch /workspace/of-the-image\nENTRYPOINT ["echo", "entry"]\n'
    docker_client.images.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True)
    yield tag
    docker_client.images.remove(tag, force=True)


@claim("`command`, a text, in an image with an `ENTRYPOINT`")
def test_a_text_command_replaces_the_entrypoint(run: Run, image: str) -> None:
    assert lines_of(run(image=image, command="echo hello")[2]) == ["hello"]


@claim("`command`")
def test_a_list_is_arguments_to_the_entrypoint(run: Run, image: str) -> None:
    assert lines_of(run(image=image, command=["a", "b c"])[2]) == ["entry a b c"]


@claim("files of the image below `workspace`")
def test_the_image_does_not_reach_into_the_workspace(run: Run, image: str) -> None:
    assert lines_of(run(image=image, command="pwd; ls -A")[2]) == ["/workspace"]


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
