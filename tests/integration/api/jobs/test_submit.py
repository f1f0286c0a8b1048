"""`POST /v1/jobs`: accepted specs, and refused ones with their fields. There is no engine: no job needs to run."""

import json
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.wire.artifact import KINDS, OutputBase
from jobd.wire.container import Device, Mount, Port, Ulimit
from jobd.wire.job import Callback, Dependency, JobSpec, Output
from jobd.wire.validation.limits import MAX_BODY_BYTES
from tests.support.daemon import Daemon, until
from tests.support.wire import answer_on, connect, exchange, head

JSON = "application/json"


def full(job_id: str) -> dict[str, Any]:
    """A spec with every field of `JobSpec` except `capAdd` and `gpus`, which need a setting, and `after`, which needs a job."""
    return {
        "id": job_id,
        "meta": {"team": "blue"},
        "image": "busybox:latest",
        "command": ["-c", "true"],
        "entrypoint": ["/bin/sh"],
        "cpu": 0.5,
        "memory": 64,
        "environment": {"A": "1", "B": ""},
        "timeoutSeconds": 60,
        "workspace": "/work",
        "artifacts": [
            {"id": "a", "type": "download", "in": "http://localhost/x", "out": "x.tar", "sha256": "0" * 64, "maxBytes": 9},
            {"id": "b", "type": "write", "in": "text", "out": "t", "mode": "0640"},
            {"id": "c", "type": "unarchive", "in": "x.tar", "out": "d", "subdir": "s", "depends": "a"},
            {"id": "d", "type": "upload", "in": "o", "out": "http://localhost/o", "depends": "job", "when": "always"},
            {"id": "e", "type": "read", "in": "o", "depends": "d", "optional": True},
            {"id": "f", "type": "archive", "in": ".", "out": "a.tgz", "format": "tar.gz", "depends": "job"},
            {"id": "g", "type": "list", "in": ".", "recursive": False, "excludes": ["*.o"]},
        ],
        "outputs": [{"path": "a.tgz", "keep": True}],
        "callback": {
            "url": "http://127.0.0.1:9/x",
            "events": ["orchestrator.job.exit"],
            "key": "secret-key",
            "batch": True,
        },
        "labels": {"kind": "test"},
        "pids": 10,
        "user": "1000:1000",
        "pull": "never",
        "platform": "linux/amd64",
        "runtime": "runc",
        "readOnly": True,
        "capDrop": ["ALL"],
        "secrets": {"token": "secret-value"},
        "retries": 2,
        "retryOn": [3, "timeout"],
        "priority": 5,
        "group": "night",
        "set": "nightly",
        "init": False, "stopSignal": "SIGINT", "stopTimeoutSeconds": 3, "workingDir": "/src",
        "tmpfs": {"/cache": "size=1m"}, "shmSize": 128, "hostname": "box", "network": "bridge",
        "ports": [{"containerPort": 80, "hostPort": 8080, "hostIp": "::1", "protocol": "udp"}],
        "extraHosts": ["db:10.0.0.1"],
        "dns": ["1.1.1.1"],
        "ulimits": [{"name": "nofile", "soft": 64, "hard": 128}],
    }  # fmt: skip


def test_the_smallest_spec_is_accepted_with_its_location(lonely: Daemon, job_id: str) -> None:
    answer = lonely.call("POST", "/v1/jobs", {"id": job_id, "image": "busybox"})
    assert answer.status == 202
    assert answer.headers["Content-Type"] == JSON
    assert answer.headers["Location"] == f"/v1/jobs/{job_id}"
    assert answer.json["id"] == job_id
    assert answer.json["status"] == "accepted"
    view = lonely.call("GET", f"/v1/jobs/{job_id}").json
    assert view["uid"] == answer.json["uid"]
    assert view["limits"] == {"cpu": 1.0, "memory": 512, "pids": 4096, "timeoutSeconds": 1800}


def names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_field_is_accepted(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], job_id: str, tmp_path: Path
) -> None:
    first, data = f"{job_id}-first", tmp_path / "data"
    data.mkdir()
    spec = full(job_id) | {"capAdd": ["NET_ADMIN"], "gpus": 1, "after": [{"job": first, "on": "any"}]}
    spec["devices"] = [{"source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rw"}]
    mounts = [{"source": str(data), "target": "/src", "readOnly": True}]
    spec["artifacts"].append({"id": "h", "type": "job", "job": first, "in": "results", "out": "data/"})
    interactive = {"stdin": True, "tty": True, "attach": True}
    assert spec.keys() | {"mounts"} | interactive.keys() == names(JobSpec)
    for name, kind in (("ports", Port), ("ulimits", Ulimit), ("devices", Device)):
        assert spec[name][0].keys() == names(kind)
    assert mounts[0].keys() == names(Mount)
    assert spec["callback"].keys() == names(Callback)
    assert spec["outputs"][0].keys() == names(Output)
    assert spec["after"][0].keys() == names(Dependency)
    shared = names(OutputBase)
    assert shared <= {field for artifact in spec["artifacts"] for field in artifact}
    for artifact in spec["artifacts"]:
        assert artifact.keys() | shared >= names(KINDS[artifact["type"]]), artifact
    assert {artifact["type"] for artifact in spec["artifacts"]} == KINDS.keys()
    allowed = {"ALLOW_DEVICES": "/dev/fuse", "ALLOW_MOUNTS": str(data)}
    daemon = make_daemon(environ=no_engine | {"ALLOW_CAP_ADD": "true", "GPU_DEVICES": "0"} | allowed).start()
    daemon.submit(id=first, image="busybox")
    daemon.submit(id=f"{job_id}-mounts", image="busybox", mounts=mounts)
    daemon.submit(id=f"{job_id}-terminal", image="busybox", **interactive)
    assert daemon.call("POST", "/v1/jobs", spec).status == 202
    view = daemon.call("GET", f"/v1/jobs/{job_id}").json
    assert view["limits"] == {"cpu": 0.5, "memory": 64, "pids": 10, "timeoutSeconds": 60, "gpus": 1}
    assert (view["priority"], view["group"], view["after"]) == (5, "night", [{"job": first, "on": "any"}])
    assert (view["network"], view["ports"]) == ("bridge", spec["ports"])
    assert daemon.call("GET", f"/v1/jobs/{job_id}-mounts").json["mounts"] == mounts
    assert (view["meta"], view["labels"]) == ({"team": "blue"}, {"kind": "test"})
    assert [(a["id"], a["type"]) for a in view["artifacts"]] == [
        (a["id"], a["type"]) for a in spec["artifacts"]
    ]
    assert "secret-key" not in json.dumps(view)
    assert "secret-value" not in json.dumps(view)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "-x"}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"image": ""}, "image"),
        ({"cpu": -1}, "cpu"),
        ({"cpu": 65}, "cpu"),
        ({"memory": 1.5}, "memory"),
        ({"memory": -1}, "memory"),
        ({"timeoutSeconds": 86401}, "timeoutSeconds"),
        ({"workspace": "/proc/x"}, "workspace"),
        ({"environment": {"A": "\0"}}, "environment.A"),
        ({"surprise": 1}, "surprise"),
        ({"artifacts": [{"id": "a", "type": "write", "in": "x", "out": "../x"}]}, "artifacts[0].out"),
        ({"artifacts": [{"id": "a", "type": "write", "in": "x"}]}, "artifacts[0].out"),
        ({"artifacts": [{"id": "a", "type": "teleport", "in": "x"}]}, "artifacts[0].type"),
        ({"artifacts": [{"id": "a", "type": "read", "in": "x", "depends": "a"}]}, "artifacts[0].depends"),
        ({"callback": {"url": "ftp://x"}}, "callback.url"),
        ({"callback": {"url": "http://x", "events": ["nonsense"]}}, "callback.events[0]"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field_and_nothing_else_happens(
    lonely: Daemon, job_id: str, change: dict[str, Any], field: str
) -> None:
    spec = {"id": job_id, "image": "busybox"} | change
    answer = lonely.call("POST", "/v1/jobs", {k: v for k, v in spec.items() if v is not None})
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "invalid-spec", field)
    assert answer.json["error"].startswith(field)
    assert lonely.call("GET", f"/v1/jobs/{job_id}").status == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"\xff{}", b'{"id": NaN}', b'{"id":"\\ud800"}', b"[" * 100_000]
)
def test_an_invalid_spec_is_refused(lonely: Daemon, body: bytes) -> None:
    answer = lonely.call("POST", "/v1/jobs", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid-spec")


def test_a_repeated_submission_with_an_idempotency_key_gets_the_record(lonely: Daemon, job_id: str) -> None:
    spec = full(job_id)
    uid = lonely.call("POST", "/v1/jobs", spec).json["uid"]
    again = {"Idempotency-Key": "any"}
    plain = lonely.call("POST", "/v1/jobs", spec)
    assert (plain.status, plain.json["code"], plain.json["field"]) == (409, "exists", "id")
    shuffled = dict(reversed(spec.items()))
    same = lonely.call("POST", "/v1/jobs", shuffled, again)
    assert (same.status, same.json["uid"], same.json["id"]) == (200, uid, job_id)
    other = lonely.call("POST", "/v1/jobs", {**spec, "memory": 65}, again)
    assert (other.status, other.json["code"], other.json["field"]) == (409, "exists", "id")


def test_the_same_spec_with_another_secret_is_another_spec(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], job_id: str
) -> None:
    """Also after a restart and without the values; the stored fingerprint does not reveal them."""
    daemon = make_daemon(environ=no_engine).start()
    secret = f"sEcReT{uuid.uuid4().hex}"
    spec = {"id": job_id, "image": "busybox", "secrets": {"pin": secret, "name": "n"}}
    uid = daemon.call("POST", "/v1/jobs", spec).json["uid"]
    again = {"Idempotency-Key": "any"}
    others: list[dict[str, str]] = [{"pin": "other", "name": "n"}, {"pin": secret}, {}]

    def same_alone_is_answered() -> None:
        same = daemon.call("POST", "/v1/jobs", spec, again)
        assert (same.status, same.json["uid"]) == (200, uid)
        for secrets in others:
            other = daemon.call("POST", "/v1/jobs", {**spec, "secrets": secrets}, again)
            assert (other.status, other.json["code"], other.json["field"]) == (409, "exists", "id")
            assert secret.encode() not in other.body

    same_alone_is_answered()
    assert daemon.stop() == 0
    daemon.start()
    same_alone_is_answered()
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    daemon.ended(job_id)
    folder = daemon.folder / "state"
    until(lambda: not list((folder / "secrets").iterdir()), "the values are gone")
    same_alone_is_answered()
    assert daemon.stop() == 0
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert secret.encode() not in stored
    assert job_id.encode() in stored


def test_one_id_submitted_many_times_at_once_is_one_job(lonely: Daemon, job_id: str) -> None:
    spec = {"id": job_id, "image": "busybox"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: lonely.call("POST", "/v1/jobs", spec), range(16)))
    assert sorted(a.status for a in answers) == [202] + [409] * 15


def test_a_dry_run_checks_the_spec_and_stores_nothing(lonely: Daemon, job_id: str) -> None:
    answer = lonely.call("POST", "/v1/jobs?dryRun=1", {"id": job_id, "image": "busybox"})
    assert (answer.status, answer.json) == (200, {"valid": True})
    assert lonely.call("GET", f"/v1/jobs/{job_id}").status == 404
    assert lonely.call("POST", "/v1/jobs?dryRun=1", {"id": job_id}).json["field"] == "image"
    assert lonely.call("POST", "/v1/jobs?dryrun=1", {"id": job_id, "image": "b"}).json["field"] == "dryrun"


def large(job_id: str, size: int) -> bytes:
    spec = {
        "id": job_id,
        "image": "busybox",
        "artifacts": [{"id": "a", "type": "write", "in": "", "out": "o"}],
    }
    spec["artifacts"][0]["in"] = "x" * (size - len(json.dumps(spec)))  # type: ignore[index]
    return json.dumps(spec).encode()


def test_a_body_of_one_mebibyte_is_accepted_and_one_byte_more_is_not(lonely: Daemon, job_id: str) -> None:
    assert lonely.call("POST", "/v1/jobs", large(job_id, MAX_BODY_BYTES)).status == 202
    with connect(lonely) as sock:
        sock.sendall(head("POST", "/v1/jobs", Content_Type=JSON, Content_Length=str(MAX_BODY_BYTES + 1)))
        answer = answer_on(sock)  # before any byte of the body was sent
    assert (answer.status, answer.json["code"]) == (413, "too-large")


def test_a_chunked_body_is_limited_while_it_arrives(lonely: Daemon, job_id: str) -> None:
    def chunked(body: bytes) -> bytes:
        parts = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    start = head("POST", "/v1/jobs", Content_Type=JSON, Transfer_Encoding="chunked")
    assert exchange(lonely, start + chunked(large(job_id, MAX_BODY_BYTES))).status == 202
    with connect(lonely) as sock:
        sock.sendall(start)
        try:
            sock.sendall(chunked(large(job_id + "x", MAX_BODY_BYTES + 1)))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon has already closed the connection
        answer = answer_on(sock)
    assert (answer.status, answer.json["code"]) == (413, "too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/any/cancel"])
def test_a_body_without_a_json_content_type_is_refused(lonely: Daemon, path: str, kind: str) -> None:
    headers = {"Content_Type": kind} if kind else {}
    answer = exchange(lonely, head("POST", path, Content_Length="2", **headers) + b"{}")
    assert (answer.status, answer.json["code"]) == (415, "unsupported-media-type")
    chunked = head("POST", path, Transfer_Encoding="chunked", **headers) + b"2\r\n{}\r\n0\r\n\r\n"
    assert exchange(lonely, chunked).status == 415


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "unheard-of"])
def test_a_compressed_body_is_refused(lonely: Daemon, coding: str) -> None:
    for kind in (JSON, "multipart/form-data; boundary=x"):
        headers = {"Content-Type": kind, "Content-Encoding": coding}
        answer = lonely.call("POST", "/v1/jobs", b"{}", headers)
        assert (answer.status, answer.json["code"]) == (415, "unsupported-media-type")


def test_a_stalled_body_blocks_no_other_client_and_leaves_no_file(lonely: Daemon, job_id: str) -> None:
    slow = []
    for _ in range(20):
        sock = connect(lonely)
        sock.sendall(head("POST", "/v1/jobs", Content_Type=JSON, Content_Length="1000") + b'{"id":')
        slow.append(sock)
    lonely.submit(id=job_id, image="busybox")
    for sock in slow:
        sock.shutdown(socket.SHUT_WR)
        sock.close()
    assert lonely.call("GET", f"/v1/jobs/{job_id}").status == 200
    assert "request failed" not in lonely.log.read_text()
