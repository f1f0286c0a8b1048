"""Rows of README's table for users of the Go service that concern running jobs: outputs, lists, logs, images."""

import contextlib
import io
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest

from tests.e2e.differences.differences import EVENT, READ_AFTER, claim
from tests.support.daemon import Daemon, Receiver, until

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
