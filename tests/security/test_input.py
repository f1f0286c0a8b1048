"""Input made to do harm: archives, dependencies, and what comes back out of a job's files. Rows: README.md."""

import base64
import gzip
import hashlib
import hmac
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver
from tests.support.wire import multipart

Fill = Callable[[tarfile.TarFile], object]


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


def tar(fill: Fill) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        fill(archive)
    return made.getvalue()


def link_then_file(archive: tarfile.TarFile) -> None:
    add(archive, "l", type=tarfile.SYMTYPE, linkname="d")
    add(archive, "l/evil", b"x")


def claims_an_exabyte() -> bytes:
    member = tarfile.TarInfo("giant")
    member.size = 1 << 60
    return member.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024


def long_header() -> bytes:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    return member.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096


HOSTILE: dict[str, bytes] = {
    "parent": tar(lambda a: add(a, "../evil", b"x")),
    "parent-inside": tar(lambda a: add(a, "d/../../evil", b"x")),
    "absolute": tar(lambda a: add(a, "/tmp/evil", b"x")),
    "absolute-link": tar(lambda a: add(a, "l", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "link-out": tar(lambda a: add(a, "l", type=tarfile.SYMTYPE, linkname="../../etc/passwd")),
    "link-then-file": tar(link_then_file),
    "hardlink": tar(lambda a: add(a, "h", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "hardlink-out": tar(lambda a: add(a, "h", type=tarfile.LNKTYPE, linkname="../../etc/passwd")),
    "device": tar(lambda a: add(a, "dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "block-device": tar(lambda a: add(a, "dev", type=tarfile.BLKTYPE, devmajor=8, devminor=0)),
    "fifo": tar(lambda a: add(a, "fifo", type=tarfile.FIFOTYPE)),
    "exabyte": claims_an_exabyte(),
    "long-header": long_header(),
    "cut": tar(lambda a: add(a, "f", b"x" * 5000))[:3000],
    "noise": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_fails_its_job_before_it_runs(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str, name: str
) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "echo ran"}
    body, headers = multipart(("spec", json.dumps(spec).encode()), ("files", HOSTILE[name]))
    assert daemon.call("POST", "/v1/jobs", body, headers).status == 202
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "files-refused"), view
    assert "startedAt" not in view
    assert [frame for frame in daemon.log_lines(job_id) if "line" in frame] == []
    changed = docker_client.containers.get(f"job-{job_id}-worker").diff() or []
    assert [change["Path"] for change in changed if change["Path"] != "/workspace"] == []


def test_hostile_archives_are_refused_by_the_sidecar(
    run: Any, daemon: Daemon, docker_client: docker.DockerClient, job_id: str
) -> None:
    """All of them, packed and plain; what is let through by one must not help the next."""
    archives = {
        **{f"{name}.tar": data for name, data in HOSTILE.items()},
        **{f"{name}.tgz": gzip.compress(data, 1) for name, data in HOSTILE.items()},
        "truncated.tgz": gzip.compress(tar(lambda a: add(a, "f", b"x" * 5000)))[:-9],
    }
    inputs = [
        {"id": f"in-{n}", "type": "write", "in": base64.b64encode(data).decode(), "out": f"in/{name}.b64"}
        for n, (name, data) in enumerate(archives.items())
    ]
    outputs = [
        {"id": f"un-{n}", "type": "unarchive", "in": f"in/{name}", "out": "x", "depends": "job"}
        for n, name in enumerate(archives)
    ]
    unpacked = "cd in; for f in *.b64; do base64 -d $f > ${f%.b64} && rm $f; done; cd ..; mkdir x"
    for half in (0, 1):  # an order has at most 64 artifacts
        chosen = range(half, len(archives), 2)
        ran = run(
            id=f"{job_id}-{half}",
            command=unpacked,
            artifacts=[*(inputs[n] for n in chosen), *(outputs[n] for n in chosen)],
        )
        results = {id: r["status"] for id, r in ran.artifacts.items() if id.startswith("un-")}
        assert results == {f"un-{n}": "failed" for n in chosen}
        changed = docker_client.containers.get(f"job-{job_id}-{half}-sidecar").diff() or []
        assert [change["Path"] for change in changed if change["Path"] != "/workspace"] == []
        left = daemon.call("GET", f"/v1/jobs/{job_id}-{half}/files?path=.").body
        with tarfile.open(fileobj=io.BytesIO(left)) as archive:
            found = {m.name.removeprefix("workspace/"): m for m in archive if "workspace/in" not in m.name}
        # Before a refusal came, plain members may have been unpacked: where they say, and beneath the folder.
        assert {name for name in found if not name.startswith("x/")} <= {"workspace", ".ready", "x"}
        assert {m.type for m in found.values()} <= {tarfile.REGTYPE, tarfile.DIRTYPE}
        assert {name for name, m in found.items() if m.isreg()} <= {".ready", "x/l/evil", "x/f"}


@pytest.mark.parametrize(
    ("depends", "field", "word"),
    [
        ({"a": "b", "b": "a"}, "artifacts[0].depends", "itself"),
        ({"a": "a"}, "artifacts[0].depends", "itself"),
        ({"a": "nobody"}, "artifacts[0].depends", "neither"),
    ],
)
def test_dependencies_that_cannot_be_are_refused_by_name(
    daemon: Daemon, worker_image: str, job_id: str, depends: dict[str, str], field: str, word: str
) -> None:
    artifacts = [{"id": id, "type": "read", "in": id, "depends": on} for id, on in depends.items()]
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": worker_image, "artifacts": artifacts})
    assert (answer.status, answer.json["field"]) == (400, field)
    assert word in answer.json["error"]
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404


def test_one_artifact_id_twice_is_refused(daemon: Daemon, worker_image: str, job_id: str) -> None:
    twice = [{"id": "a", "type": "read", "in": "a", "depends": "job"}] * 2
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": worker_image, "artifacts": twice})
    assert (answer.status, answer.json["field"]) == (400, "artifacts[1].id")


def test_what_a_job_wrote_arrives_as_signed(run: Any, receiver: Receiver, job_id: str) -> None:
    """Bytes that are no text, numbers that JSON readers round, a name twice, lone surrogates, depth."""
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
