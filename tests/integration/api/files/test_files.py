"""Local files in a submission, and downloads of files from the workspace."""

import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobctl.transfers import upload
from jobctl.transfers.transfer_flags import Transfer
from jobd.wire.validation.limits import MAX_BODY_BYTES
from tests.support.daemon import Answer, Daemon, until
from tests.support.wire import BOUNDARY, connect, head, multipart

MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def untar(answer: Answer) -> dict[str, bytes]:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-tar")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        for member in tar:
            if file := tar.extractfile(member):
                found[member.name] = file.read()
    return found


def send(daemon: Daemon, *parts: tuple[str, bytes]) -> Answer:
    body, headers = multipart(*parts)
    return daemon.call("POST", "/v1/jobs", body, headers)


def spec_of(job_id: str, command: str = "true") -> bytes:
    return json.dumps({"id": job_id, "image": "busybox:latest", "command": command}).encode()


def spool(daemon: Daemon) -> list[Path]:
    return list((daemon.folder / "state" / "spool").iterdir())


@pytest.fixture(scope="module")
def made(daemon: Daemon) -> str:
    """A job that was submitted with files and has written some."""
    files = tar_of({"run.sh": b"#!/bin/sh\nmkdir -p out/deep\ncat in/a in/b > out/both\ncp run.sh out/deep/\n",
                    "in/a": b"first ", "in/b": b"second"})  # fmt: skip
    job_id = f"made-{uuid.uuid4().hex[:8]}"
    answer = send(daemon, ("spec", spec_of(job_id, "./run.sh")), ("files", files))
    assert answer.status == 202, answer.body
    assert daemon.ended(job_id)["status"] == "completed"
    return job_id


def test_files_go_in_and_come_out(daemon: Daemon, made: str) -> None:
    assert untar(daemon.call("GET", f"/v1/jobs/{made}/files?path=out/both")) == {"both": b"first second"}
    folder = untar(daemon.call("GET", f"/v1/jobs/{made}/files?path=out"))
    assert set(folder) == {"out/both", "out/deep/run.sh"}
    whole = untar(daemon.call("GET", f"/v1/jobs/{made}/files"))
    assert {name.partition("/")[2] for name in whole} >= {
        "run.sh",
        "in/a",
        "in/b",
        "out/both",
        "out/deep/run.sh",
    }
    assert whole == untar(daemon.call("GET", f"/v1/jobs/{made}/files?path="))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nothing-here", 404, "file-not-found"),
        ("out/both/deeper", 404, "file-not-found"),
        ("..", 400, "invalid-request"),
        ("out/../../etc", 400, "invalid-request"),
        ("/etc/passwd", 400, "invalid-request"),
        ("a%00b", 400, "invalid-request"),
        ("x" * 300, 400, "invalid-request"),
        (r"out/caf\xe9", 400, "invalid-request"),
        ("x/" * 3000, 400, "invalid-request"),
    ],
)
def test_a_path_that_names_nothing_inside_is_refused(
    daemon: Daemon, made: str, path: str, status: int, code: str
) -> None:
    answer = daemon.call("GET", f"/v1/jobs/{made}/files?path={path}")
    assert (answer.status, answer.json["code"], answer.json["field"]) == (status, code, "path")


def test_a_link_out_of_the_workspace_gives_nothing_of_the_host(daemon: Daemon, job_id: str) -> None:
    daemon.submit(
        id=job_id, image="busybox:latest", command="ln -s /etc/passwd link; ln -s /proc/1/environ env"
    )
    daemon.ended(job_id)
    for name in ("link", "env"):
        answer = daemon.call("GET", f"/v1/jobs/{job_id}/files?path={name}")
        if answer.status == 200:
            with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
                assert [(m.name, m.issym(), m.size) for m in tar] == [(name, True, 0)]
        else:
            assert answer.status == 404


def test_files_are_gone_after_retention_and_before_the_job_ran(
    make_daemon: Callable[..., Daemon], lonely: Daemon, job_id: str
) -> None:
    lonely.submit(id=job_id, image="busybox")
    assert lonely.call("GET", f"/v1/jobs/{job_id}/files").json["code"] == "no-workspace"
    assert lonely.call("GET", "/v1/jobs/no-such/files").json["code"] == "not-found"
    daemon = make_daemon(environ={"JOB_RETENTION": "0s", "MAINTENANCE_INTERVAL": "100ms"}).start()
    daemon.submit(id=job_id, image="busybox:latest", command="echo x > y")
    daemon.ended(job_id)
    path = f"/v1/jobs/{job_id}/files?path=y"

    def gone() -> bool:
        answer = daemon.call("GET", path)
        return answer.status == 404 and answer.json["code"] == "no-workspace"

    until(gone, "the workspace is gone")
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "completed"


@pytest.fixture
def unchanged(lonely: Daemon) -> Iterator[None]:
    """A refused submission leaves neither a job nor a file."""
    before = lonely.call("GET", "/v1/jobs?limit=1000").json["jobs"]
    yield
    assert lonely.call("GET", "/v1/jobs?limit=1000").json["jobs"] == before
    assert spool(lonely) == []


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("parts", "status", "field"),
    [
        ((), 400, "spec"),
        ((("files", b"tar"),), 400, "spec"),
        ((("spec", b"{}"),), 400, "id"),
        ((("spec", b"not json"),), 400, None),
        ((("spec", spec_of("m")), ("surprise", b"x")), 400, "surprise"),
        ((("files", b"x"), ("spec", spec_of("m")), ("files", b"y")), 400, "files"),
        ((("spec", spec_of("m")), ("spec", spec_of("n"))), 400, "spec"),
        ((("files", b"x"), ("spec", b" " * (MAX_BODY_BYTES + 1))), 413, None),
        ((("files", b"x"), ("spec", spec_of("m", "x" * 200_000))), 400, "command"),
    ],
)
def test_wrong_parts_are_refused_and_leave_nothing(
    lonely: Daemon, parts: tuple[tuple[str, bytes], ...], status: int, field: str | None
) -> None:
    answer = send(lonely, *parts)
    assert (answer.status, answer.json.get("field")) == (status, field), answer.body


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n"),
        (MULTIPART, b""),
        (MULTIPART, b"--other\r\n\r\nno\r\n--other--\r\n"),
        (MULTIPART, b"--%s\r\nnonsense\r\n\r\nx\r\n--%s--\r\n" % ((BOUNDARY.encode(),) * 2)),
        (MULTIPART, b'--%s\r\nContent-Disposition: form-data; name="\x0b"\r\n\r\nx\r\n' % BOUNDARY.encode()),
        (MULTIPART, b"--%s\r\n%s" % (BOUNDARY.encode(), b"A: b\r\n" * 20_000)),
        (MULTIPART, multipart(("files", b"x" * 1000))[0][:-40]),
        (
            MULTIPART,
            b"--%s\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--%s--\r\n"
            % ((BOUNDARY.encode(),) * 2),
        ),
    ],
)
def test_a_malformed_multipart_body_is_refused_and_leaves_nothing(
    lonely: Daemon, kind: str, body: bytes
) -> None:
    answer = lonely.call("POST", "/v1/jobs", body, {"Content-Type": kind})
    assert answer.status == 400, answer.body
    assert answer.json["error"]


@pytest.mark.usefixtures("unchanged")
def test_a_client_that_goes_away_in_the_middle_leaves_nothing(lonely: Daemon) -> None:
    body, _ = multipart(("files", b"x" * 3_000_000), ("spec", spec_of("gone")))
    sock = connect(lonely)
    sock.sendall(
        head("POST", "/v1/jobs", Content_Type=MULTIPART, Content_Length=str(len(body))) + body[:2_000_000]
    )
    until(lambda: spool(lonely), "the upload has begun")
    sock.close()
    until(lambda: not spool(lonely), "the upload is removed")
    assert "request failed" not in lonely.log.read_text()


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ={**no_engine, "MAX_UPLOAD_BYTES": "100000"}).start()
    answer = send(daemon, ("spec", spec_of("big")), ("files", b"x" * 100_001))
    assert (answer.status, answer.json["code"]) == (413, "too-large")
    assert "MAX_UPLOAD_BYTES" in answer.json["error"]
    assert spool(daemon) == []
    assert daemon.call("GET", "/v1/jobs/big").status == 404
    assert send(daemon, ("spec", spec_of("fits")), ("files", b"x" * 100_000)).status == 202
    assert [path.name for path in spool(daemon)] == [f"{daemon.call('GET', '/v1/jobs/fits').json['uid']}.tar"]
    assert send(daemon, ("spec", spec_of("fits")), ("files", b"x")).status == 409
    assert len(spool(daemon)) == 1
    assert daemon.call("DELETE", "/v1/jobs/fits").status == 204


def test_a_tar_that_is_none_fails_its_job_alone(daemon: Daemon, job_id: str) -> None:
    assert send(daemon, ("spec", spec_of(job_id)), ("files", b"this is no tar")).status == 202
    view = daemon.ended(job_id)
    assert view["status"] == "failed"
    assert view["error"]
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    until(lambda: f"{view['uid']}.tar" not in [path.name for path in spool(daemon)], "the upload is removed")


def test_the_same_spec_with_other_files_is_another_submission(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    """Also after a restart: jobd stores the digest of the files with the job and does not need the files."""
    daemon = make_daemon(environ=no_engine).start()
    files = tar_of({"a": b"first", "b": b"second"})
    parts = ("spec", spec_of("once")), ("files", files)
    first = send(daemon, *parts)
    assert first.status == 202

    def again(*parts: tuple[str, bytes]) -> Answer:
        body, headers = multipart(*parts)
        return daemon.call("POST", "/v1/jobs", body, {**headers, "Idempotency-Key": "any"})

    def same_files_alone_are_answered() -> None:
        for order in (parts, parts[::-1]):
            same = again(*order)
            assert (same.status, same.json["uid"]) == (200, first.json["uid"])
        others = [
            tar_of({"a": b"first", "b": b"seconD"}), tar_of({"a": b"first", "c": b"second"}), tar_of({"b": b"second", "a": b"first"}),
            tar_of({"a": b"first"}), files[:-512], files + bytes(512), b"",
        ]  # fmt: skip
        for other in others:
            answer = again(parts[0], ("files", other))
            assert (answer.status, answer.json["code"], answer.json["field"]) == (409, "exists", "id")
            assert "other files" in answer.json["error"]
        assert again(parts[0]).status == 409
        assert daemon.call("POST", "/v1/jobs", parts[0][1], {"Idempotency-Key": "any"}).status == 409

    same_files_alone_are_answered()
    assert len(spool(daemon)) == 1
    assert daemon.stop() == 0
    daemon.start()
    same_files_alone_are_answered()
    assert daemon.call("POST", "/v1/jobs/once/cancel").status == 202
    daemon.ended("once")
    until(lambda: not spool(daemon), "the files are gone")
    same_files_alone_are_answered()
    plain = hashlib.sha256(files).digest()
    assert daemon.stop() == 0
    stored = b"".join(path.read_bytes() for path in (daemon.folder / "state").rglob("*") if path.is_file())
    assert plain not in stored
    assert plain.hex().encode() not in stored


def test_jobctl_sends_the_same_files_again_as_the_same(lonely: Daemon, job_id: str, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b", "a", "deep/c"):
        (tmp_path / "in" / name).write_text(name)
    uploads = [Transfer("data", str(tmp_path / "in"))]
    answers = []
    for _ in range(2):
        kind, body = upload.multipart(spec_of(job_id), upload.members(uploads))
        headers = {"Content-Type": kind, "Idempotency-Key": "any"}
        answers.append(lonely.call("POST", "/v1/jobs", b"".join(body), headers))
    assert [answer.status for answer in answers] == [202, 200]
    assert answers[0].json["uid"] == answers[1].json["uid"]
    (tmp_path / "in" / "a").write_text("other")
    kind, body = upload.multipart(spec_of(job_id), upload.members(uploads))
    changed = lonely.call(
        "POST", "/v1/jobs", b"".join(body), {"Content-Type": kind, "Idempotency-Key": "any"}
    )
    assert (changed.status, changed.json["code"]) == (409, "exists")
    assert lonely.call("DELETE", f"/v1/jobs/{job_id}").status == 204
