"""Hostile input: archives, dependencies, and contents of a job's files. Rows: README.md."""

import gzip
import hashlib
import hmac
import io
import json
import tarfile
from functools import partial
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver
from tests.support.hostile_archives import (
    GZIPPED_REFUSED,
    HARMLESS,
    REFUSED,
    ZIPS_REFUSED,
    add,
    header,
    tar,
    zip_bomb,
)
from tests.support.wire import multipart

UPLOADS_REFUSED = {
    **{
        name: data
        for name, data in REFUSED.items()
        if name not in ("sparse-pax", "file-then-folder", "folder-then-file")
    },
    **GZIPPED_REFUSED,
    **ZIPS_REFUSED,
}
"""An upload is a plain tar. The engine decides about the other three."""


def changed_outside(client: docker.DockerClient, container: str) -> list[str]:
    """Checks a container's own files: the workspace is a volume, and the engine mounts its init."""
    changes = client.containers.get(container).diff() or []
    mounted = ("/workspace", "/sbin", "/sbin/docker-init")
    return [str(change["Path"]) for change in changes if change["Path"] not in mounted]


def submitted(daemon: Daemon, spec: dict[str, Any], files: bytes) -> dict[str, Any]:
    body, headers = multipart(("spec", json.dumps(spec).encode()), ("files", files))
    assert daemon.call("POST", "/v1/jobs", body, headers).status == 202
    return daemon.ended(spec["id"])


@pytest.mark.parametrize("name", UPLOADS_REFUSED)
def test_a_hostile_upload_fails_its_job_before_it_runs(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str, name: str
) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "echo ran"}
    view = submitted(daemon, spec, UPLOADS_REFUSED[name])
    assert (view["status"], view["reason"]) == ("failed", "files-refused"), view
    assert "startedAt" not in view
    assert [frame for frame in daemon.log_lines(job_id) if "line" in frame] == []
    assert changed_outside(docker_client, f"job-{job_id}-worker") == []


@pytest.mark.parametrize("name", [*HARMLESS, "sparse-pax", "file-then-folder", "folder-then-file"])
def test_a_job_with_an_unusual_upload_ends(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str, name: str
) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "find . -type l -o -type f"}
    view = submitted(daemon, spec, {**REFUSED, **HARMLESS}[name])
    assert view["status"] in ("completed", "failed")
    assert changed_outside(docker_client, f"job-{job_id}-worker") == []


def unpacked(
    daemon: Daemon, receiver: Receiver, worker_image: str, id: str, archives: dict[str, bytes]
) -> dict[str, dict[str, Any]]:
    """Runs a job whose sidecar unpacks the archives one by one into one folder; returns the result of each."""
    packed = tar(*(partial(add, name=f"in/{name}", content=data) for name, data in archives.items()))
    spec = {
        "id": id,
        "image": worker_image,
        "command": "mkdir x",
        "artifacts": [
            {"id": name, "type": "unarchive", "in": f"in/{name}", "out": "x", "depends": "job"}
            for name in archives
        ],
        "callback": {"url": receiver.url(f"/{id}")},
    }
    submitted(daemon, spec, packed)
    artifacts = (e["data"] for e in receiver.complete(f"/{id}") if e["type"] == "orchestrator.job.artifact")
    return {artifact["artifactId"]: artifact for artifact in artifacts}


def statuses(results: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {id: result["status"] for id, result in results.items()}


def left_by(daemon: Daemon, id: str) -> dict[str, tarfile.TarInfo]:
    """Returns the workspace's files beside the archives."""
    with tarfile.open(fileobj=io.BytesIO(daemon.call("GET", f"/v1/jobs/{id}/files?path=.").body)) as archive:
        return {m.name.removeprefix("workspace/"): m for m in archive if "workspace/in" not in m.name}


def test_hostile_archives_are_refused_by_the_sidecar(
    daemon: Daemon, docker_client: docker.DockerClient, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    """All of them, compressed and plain; files of one archive must not help the next one."""
    archives = {
        **REFUSED,
        **{f"{name}-gz": gzip.compress(data, 1) for name, data in REFUSED.items()},
        **GZIPPED_REFUSED,
        **ZIPS_REFUSED,
    }
    for part in range(3):  # an order has at most 64 artifacts
        chosen = dict(list(archives.items())[part::3])
        id = f"{job_id}-{part}"
        results = unpacked(daemon, receiver, worker_image, id, chosen)
        assert statuses(results) == dict.fromkeys(chosen, "failed")
        assert changed_outside(docker_client, f"job-{id}-sidecar") == []
        found = left_by(daemon, id)
        # Before the refusal the sidecar may have unpacked ordinary members: at their paths, beneath the folder.
        assert {name for name in found if not name.startswith("x/")} <= {"workspace", ".ready", "x"}
        assert {m.type for m in found.values()} <= {tarfile.REGTYPE, tarfile.DIRTYPE}
        assert {name for name, m in found.items() if m.isreg()} <= {".ready", "x/l/evil", "x/f", "x/f/g"}


def test_unusual_archives_are_unpacked_beneath_their_folder(
    daemon: Daemon, docker_client: docker.DockerClient, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    results = unpacked(daemon, receiver, worker_image, job_id, HARMLESS)
    assert statuses(results) == dict.fromkeys(HARMLESS, "success")
    assert changed_outside(docker_client, f"job-{job_id}-sidecar") == []
    found = left_by(daemon, job_id)
    assert set(found) == {"workspace", ".ready", "x", "x/f", "x/a", "x/b", "x/d", "x/d/f"}
    assert {m.linkname for m in found.values() if m.issym()} <= {"a", "b", "g"}


def test_archive_bombs_are_refused(
    daemon: Daemon, docker_client: docker.DockerClient, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    """Five gigabytes of zeros in five megabytes, as a zip and as a tar that is compressed twice."""
    zeros = gzip.compress(b"\0" * (16 << 20), 9)
    claim = header("zeros", 5 << 30)
    bombs = {
        "zip": zip_bomb(5 << 30),
        "gz": gzip.compress(claim) + zeros * 320,
        "zip-that-lies": zip_bomb(5 << 30, claimed=10),
    }
    results = unpacked(daemon, receiver, worker_image, job_id, bombs)
    assert statuses(results) == dict.fromkeys(bombs, "failed")
    # Each is also truncated or has a wrong checksum, which shows only at its end.
    assert [id for id in ("zip", "gz") if "unpacks to more than" not in results[id]["error"]] == []
    assert changed_outside(docker_client, f"job-{job_id}-sidecar") == []
    assert set(left_by(daemon, job_id)) == {"workspace", ".ready", "x"}


@pytest.mark.parametrize(
    ("depends", "field", "word"),
    [
        ({"a": "b", "b": "a"}, "artifacts[0].depends", "itself"),
        ({"a": "a"}, "artifacts[0].depends", "itself"),
        ({"a": "nobody"}, "artifacts[0].depends", "neither"),
    ],
)
def test_invalid_dependencies_are_refused_by_name(
    daemon: Daemon, worker_image: str, job_id: str, depends: dict[str, str], field: str, word: str
) -> None:
    artifacts = [{"id": id, "type": "read", "in": id, "depends": on} for id, on in depends.items()]
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": worker_image, "artifacts": artifacts})
    assert (answer.status, answer.json["field"]) == (400, field)
    assert word in answer.json["error"]
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404


def test_a_duplicate_artifact_id_is_refused(daemon: Daemon, worker_image: str, job_id: str) -> None:
    twice = [{"id": "a", "type": "read", "in": "a", "depends": "job"}] * 2
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": worker_image, "artifacts": twice})
    assert (answer.status, answer.json["field"]) == (400, "artifacts[1].id")


def test_the_content_of_outputs_arrives_as_signed(run: Any, receiver: Receiver, job_id: str) -> None:
    """Bytes that are no text, numbers that JSON readers round, duplicate names, lone surrogates, deep nesting."""
    key = "k" * 32
    written = {
        "utf8": r"\377\376ok\300\200",
        "big": "[18446744073709551616, -9223372036854775809]",
        "huge": "[1e400]",
        "fits": "[18446744073709551615, -9223372036854775808, 0.1]",
        "twice": '{"a":1,"a":2}',
        "surrogate": r'"\\ud800"',
        "deep": "[" * 500 + "]" * 500,
        "nan": "NaN",
        "nul": r'"\\u0000"',
    }
    command = "".join(f"printf '{text}' > {name}; " for name, text in written.items())
    ran = run(
        command=command,
        artifacts=[{"id": name, "type": "read", "in": name, "depends": "job"} for name in written],
        callback={"url": receiver.url(f"/{job_id}"), "key": key},
    )
    assert ran.view["status"] == "completed", ran.view
    content = {id: data["content"] for id, data in ran.artifacts.items()}
    assert content["utf8"] == "��ok��"
    assert content["big"] == written["big"]
    assert content["huge"] == written["huge"]
    assert content["fits"] == [18446744073709551615, -9223372036854775808, 0.1]
    assert content["twice"] == written["twice"]
    assert content["surrogate"] == '"\\ud800"'
    assert content["deep"] == written["deep"]
    assert content["nan"] == "NaN"
    assert content["nul"] == "\0"
    for headers, body in receiver.raw(f"/{job_id}"):
        expected = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Signature-256"] == expected
        json.loads(body.decode())
