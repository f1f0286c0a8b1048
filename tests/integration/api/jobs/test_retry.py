"""`POST /v1/jobs/{id}/retry`. There is no engine: a cancelled job has ended, and its retry waits."""

import contextlib
import json
import urllib.error
from collections.abc import Callable
from http.client import RemoteDisconnected
from typing import Any

import pytest

from tests.support.daemon import FAILPOINTS, Answer, Daemon
from tests.support.wire import BOUNDARY, exchange, head

TAR_END = bytes(1024)
TOKEN = {"secrets": {"token": "x"}}


def cancelled(daemon: Daemon, job_id: str, **spec: Any) -> str:
    daemon.submit(id=job_id, image="busybox", **spec)
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    assert daemon.ended(job_id)["status"] == "cancelled"
    return job_id


def retry(daemon: Daemon, job_id: str, body: Any = None) -> Answer:
    return daemon.call("POST", f"/v1/jobs/{job_id}/retry", body)


def post_files(daemon: Daemon, path: str, spec: bytes) -> Answer:
    parts = ((b'name="spec"', spec), (b'name="files"', TAR_END))
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), name, data)
        for name, data in parts
    )
    body += b"--%s--\r\n" % BOUNDARY.encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return exchange(
        daemon,
        head("POST", path, Content_Type=kind, Content_Length=str(len(body)), Connection="close") + body,
    )


def test_a_retry_is_a_new_job_that_names_its_origin(lonely: Daemon, job_id: str) -> None:
    cancelled(lonely, job_id, labels={"k": "v"}, command=["x"])
    answer = retry(lonely, job_id)
    new = f"{job_id}-retry-1"
    assert (answer.status, answer.headers["Location"]) == (202, f"/v1/jobs/{new}")
    assert answer.json == {"id": new, "status": "accepted", "uid": answer.json["uid"]}
    view, old = (lonely.call("GET", f"/v1/jobs/{name}").json for name in (new, job_id))
    assert view["retriedFrom"] == job_id
    assert "retriedFrom" not in old
    assert all(view[name] == old[name] for name in ("image", "command", "labels", "limits"))
    listed = lonely.call("GET", f"/v1/jobs?prefix={job_id}").json["jobs"]
    assert [job.get("retriedFrom") for job in listed] == [job_id, None]
    again = retry(lonely, job_id, {})
    assert (again.status, again.json["id"]) == (202, f"{job_id}-retry-2")


def test_a_repeated_call_with_the_same_id_gets_the_same_job(lonely: Daemon, job_id: str) -> None:
    cancelled(lonely, job_id)
    first = retry(lonely, job_id, {"id": f"{job_id}-x"})
    assert first.status == 202
    second = retry(lonely, job_id, {"id": f"{job_id}-x"})
    assert (second.status, second.json["uid"]) == (200, first.json["uid"])
    other = retry(lonely, cancelled(lonely, f"{job_id}-b"), {"id": f"{job_id}-x"})
    assert (other.status, other.json["code"]) == (409, "exists")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "name"), ({"id": 3}, "id"), ({"id": "-", **TOKEN}, "id"), ({"id": "", **TOKEN}, "id"),
        ({"id": "a" * 129, **TOKEN}, "id"),
        ({"secrets": ["token"]}, "secrets"), ({"secrets": {"token": 3}}, "secrets"),
        ({"secrets": {"token": "x", "no": "x"}}, "secrets.no"), ({"secrets": {"token": "x" * 65537}}, "secrets.token"),
        ({"secrets": {"token": "x"}, "after": [{"job": "none-such"}]}, "after[0].job"), ({"after": [{}]}, "after[0].job"),
        ({**TOKEN, "sources": {"none-such": "x"}}, "sources.none-such"), ({"sources": {"x": 3}}, "sources"),
        ({}, "secrets"), (None, "secrets"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_field_and_nothing_else_happens(
    lonely: Daemon, job_id: str, body: Any, field: str
) -> None:
    cancelled(lonely, job_id, secrets={"token": "old"})
    answer = retry(lonely, job_id, body)
    assert (answer.status, answer.json["field"]) == (400, field), answer.body
    assert len(lonely.call("GET", f"/v1/jobs?prefix={job_id}").json["jobs"]) == 1


def test_null_means_absent(lonely: Daemon, job_id: str) -> None:
    cancelled(lonely, job_id)
    assert retry(lonely, job_id, {"id": None, "secrets": None, "after": None, "sources": None}).status == 202


def test_a_waiting_job_and_an_unknown_one_are_refused(lonely: Daemon, job_id: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    answer = retry(lonely, job_id)
    assert (answer.status, answer.json["code"]) == (409, "not-ended")
    assert (
        answer.json["error"] == f"job {job_id!r} has not ended yet; wait for its end, or cancel the job first"
    )
    assert retry(lonely, "none-such").status == 404
    assert retry(lonely, job_id, b"[").status == 400


def test_local_files_are_sent_again_as_in_a_submission(lonely: Daemon, job_id: str) -> None:
    spec = json.dumps({"id": job_id, "image": "busybox"}).encode()
    assert post_files(lonely, "/v1/jobs", spec).status == 202
    assert lonely.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    lonely.ended(job_id)
    refused = retry(lonely, job_id)
    assert (refused.status, refused.json["code"]) == (400, "files-needed")
    before = set((lonely.folder / "state" / "spool").iterdir())
    answer = post_files(lonely, f"/v1/jobs/{job_id}/retry", b"{}")
    assert answer.status == 202, answer.body
    (file,) = set((lonely.folder / "state" / "spool").iterdir()) - before
    assert (file.stem, file.read_bytes()) == (answer.json["uid"], TAR_END)
    wrong = post_files(lonely, f"/v1/jobs/{job_id}/retry", b'{"id": ""}')
    assert wrong.status == 400
    assert len(set((lonely.folder / "state" / "spool").iterdir()) - before) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_retry_survives_a_kill_and_a_repeated_call_makes_no_second_job(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], when: str
) -> None:
    environ = {**no_engine, "JOBD_FAILPOINT": f"{when}-commit:accepted:2"}
    daemon = make_daemon(environ=environ, module=FAILPOINTS).start()
    cancelled(daemon, "a")
    with contextlib.suppress(RemoteDisconnected, ConnectionError, urllib.error.URLError):
        assert retry(daemon, "a", {"id": "b"}).status == 500
    assert daemon.process is not None
    daemon.process.wait(60)
    del environ["JOBD_FAILPOINT"]
    daemon.environ = environ
    daemon.start()
    stored = daemon.call("GET", "/v1/jobs/b")
    assert stored.status == (200 if when == "after" else 404)
    again = retry(daemon, "a", {"id": "b"})
    assert again.status == (200 if when == "after" else 202)
    view = daemon.call("GET", "/v1/jobs/b").json
    assert (view["retriedFrom"], view["uid"]) == ("a", again.json["uid"])
    assert len(daemon.call("GET", "/v1/jobs").json["jobs"]) == 2
