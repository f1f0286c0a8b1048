"""`POST /internal/events`: the job's token, each report once, and no choice of the destination for the caller."""

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from jobd.jobs.record.record import Record
from jobd.jobs.record.record_form import decode_record
from tests.support.daemon import Answer, Daemon, until
from tests.support.wire import ChoosingReceiver, exchange, head

ARTIFACT = "orchestrator.job.artifact"


def record_of(daemon: Daemon, uid: str) -> Record:
    """Returns the job's record; its token is what the sidecar gets in its order."""
    with closing(
        sqlite3.connect(f"file:{daemon.folder / 'state' / 'jobd.db'}?mode=ro", uri=True)
    ) as database:
        (record,) = database.execute("SELECT record FROM jobs WHERE uid = ?", (uid,)).fetchone()
    return decode_record(record)


@pytest.fixture
def receiver(make_receiver: Callable[..., ChoosingReceiver]) -> ChoosingReceiver:
    return make_receiver(lambda path, before: 204)


@pytest.fixture
def token(lonely: Daemon, receiver: ChoosingReceiver, job_id: str) -> str:
    """The token of a job with two artifacts that waits for the engine."""
    artifacts = [{"id": name, "type": "read", "in": name, "depends": "job"} for name in ("one", "two")]
    callback = {"url": receiver.url(f"/{job_id}"), "key": "a-signing-key"}
    answer = lonely.call(
        "POST",
        "/v1/jobs",
        {"id": job_id, "image": "busybox", "artifacts": artifacts, "callback": callback},
    )
    return record_of(lonely, answer.json["uid"]).token


@pytest.fixture
def held(daemon: Daemon, receiver: ChoosingReceiver, worker_image: str, job_id: str) -> Iterator[str]:
    """The token of a job whose sidecar waits for an input forever, and so reports nothing of the others."""
    with socket.create_server(("0.0.0.0", 0)) as silent:
        url = f"http://host.docker.internal:{silent.getsockname()[1]}/never"
        reads = [{"id": name, "type": "read", "in": name, "depends": "job"} for name in ("one", "two")]
        daemon.submit(
            id=job_id,
            image=worker_image,
            artifacts=[{"id": "hold", "type": "download", "in": url, "out": "x"}, *reads],
            callback={"url": receiver.url(f"/{job_id}"), "key": "a-signing-key"},
        )
        uid = daemon.call("GET", f"/v1/jobs/{job_id}").json["uid"]
        until(lambda: record_of(daemon, uid).sidecar, "the sidecar is on its way")
        yield record_of(daemon, uid).token
        daemon.call("DELETE", f"/v1/jobs/{job_id}")


def report(daemon: Daemon, token: str | None, body: Any) -> Answer:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return daemon.call("POST", "/internal/events", body, headers)


def done(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "artifact",
        "n": number,
        "artifactId": name,
        "artifactType": "read",
        "status": "success",
        **more,
    }


def test_reports_become_events_once_and_go_where_the_record_says(
    daemon: Daemon, receiver: ChoosingReceiver, held: str, job_id: str
) -> None:
    def send(*reports: dict[str, Any]) -> None:
        answer = report(daemon, held, {"jobId": job_id, "reports": list(reports)})
        assert (answer.status, answer.json) == (202, {"status": "accepted"})

    first = done(101, "one", content={"answer": 42})
    for _ in range(3):
        send(first)
    send(first, done(102, "two", content="x"))
    send(done(103, "two", content="y"))
    send(done(1, "hold"))
    events = until(lambda: e if len(e := receiver.at(f"/{job_id}")) >= 2 else None, "both events")
    assert [(e["type"], e["source"]) for e in events] == [(ARTIFACT, "orchestrator/sidecar")] * 2
    assert [e["data"]["artifactId"] for e in events] == ["one", "two"]
    assert [e["data"]["content"] for e in events] == [{"answer": 42}, "x"]
    view = daemon.call("GET", f"/v1/jobs/{job_id}").json
    assert [a["status"] for a in view["artifacts"]] == ["pending", "success", "success"]
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 0}).status == 202
    until(lambda: receiver.at(f"/{job_id}")[-1]["type"].endswith("complete"), "the last event")
    sent = [e["data"]["artifactId"] for e in receiver.at(f"/{job_id}") if e["type"] == ARTIFACT]
    assert sent[:2] == ["one", "two"]
    assert len(set(sent)) == len(sent)


def test_the_type_is_the_records_and_an_unknown_artifact_is_nothing(
    daemon: Daemon, receiver: ChoosingReceiver, held: str, job_id: str
) -> None:
    reports = [done(101, "nobody"), done(102, "one") | {"artifactType": "upload"}]
    assert report(daemon, held, {"jobId": job_id, "reports": reports}).status == 202
    events = until(lambda: receiver.at(f"/{job_id}"), "the event")
    assert [(e["data"]["artifactId"], e["data"]["artifactType"]) for e in events] == [("one", "read")]


def test_reports_before_there_is_a_sidecar_are_nobodys(lonely: Daemon, token: str, job_id: str) -> None:
    assert report(lonely, token, {"jobId": job_id, "reports": [done(1, "one")]}).status == 202
    view = lonely.call("GET", f"/v1/jobs/{job_id}").json
    assert [a["status"] for a in view["artifacts"]] == ["pending", "pending"]


@pytest.mark.parametrize("given", [None, "", "wrong", "é", "x" * 5000])
def test_without_the_jobs_token_nothing_is_taken(
    lonely: Daemon, receiver: ChoosingReceiver, token: str, job_id: str, given: str | None
) -> None:
    answer = report(lonely, given, {"jobId": job_id, "reports": [done(1, "one")]})
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    view = lonely.call("GET", f"/v1/jobs/{job_id}").json
    assert [a["status"] for a in view["artifacts"]] == ["pending", "pending"]


def test_bytes_that_are_no_text_are_no_token(lonely: Daemon, job_id: str) -> None:
    body = b'{"jobId":"x","reports":[]}'
    start = head("POST", "/internal/events", Content_Type="application/json", Content_Length=str(len(body)),
                 Authorization="Bearer \xff\xfe")  # fmt: skip
    assert exchange(lonely, start + body).status == 401


def test_one_jobs_token_is_nothing_to_another_nor_after_the_end(
    lonely: Daemon, token: str, job_id: str
) -> None:
    lonely.submit(id=f"{job_id}-other", image="busybox")
    for name in (f"{job_id}-other", "no-such-job", ""):
        assert report(lonely, token, {"jobId": name, "reports": []}).status == 401
    assert lonely.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    lonely.ended(job_id)

    def refused() -> bool:
        return report(lonely, token, {"jobId": job_id, "reports": [done(9, "one")]}).status == 401

    until(refused, "the token is over with its job")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reports": []}, "jobId"),
        ({"jobId": "x", "reports": [], "url": "http://elsewhere"}, "url"),
        ({"jobId": "x", "reports": [{"type": "artifact", "n": 1}]}, "reports[0].artifactId"),
        ({"jobId": "x", "reports": {}}, "reports"),
    ],
)
def test_the_destination_and_all_else_is_not_the_callers_to_choose(
    lonely: Daemon, token: str, body: dict[str, Any], field: str
) -> None:
    answer = report(lonely, token, body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_the_daemons_own_key_opens_no_job(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine, flags=()).start()
    key = (daemon.folder / "state" / "api-key").read_text().strip()
    spec = {"id": "job", "image": "busybox"}
    created = daemon.call("POST", "/v1/jobs", spec, {"Authorization": f"Bearer {key}"})
    assert created.status == 202
    assert report(daemon, key, {"jobId": "job", "reports": []}).status == 401
    token = record_of(daemon, created.json["uid"]).token
    assert report(daemon, token, {"jobId": "job", "reports": []}).status == 202
    assert daemon.call("GET", "/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status == 401
