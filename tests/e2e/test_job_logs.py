"""The log and the events of a job, through a real daemon and a real engine."""

import hashlib
import hmac
import json
import os
import tarfile
from pathlib import Path

from standardwebhooks import Webhook

from tests.e2e.jobs import ARTIFACT, COMPLETE, EXIT, LOG, START
from tests.support.daemon import Daemon, Receiver, until

CLIENT_LINES = 500


def test_every_line_arrives_in_order_with_the_last_one_unterminated(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    script = f"i=1; while [ $i -le {CLIENT_LINES} ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; printf last"
    daemon.submit(id=job_id, image=worker_image, command=script, callback={"url": receiver.url(path)})
    daemon.ended(job_id)
    frames = daemon.log_lines(job_id)
    assert frames[-1] == {"end": {"status": "completed", "exitCode": 0, "reason": None}}
    lines = frames[:-1]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    out = [line["line"] for line in lines if line["stream"] == "stdout"]
    err = [line["line"] for line in lines if line["stream"] == "stderr"]
    assert out == [f"out {i}" for i in range(1, CLIENT_LINES + 1)] + ["last"]
    assert err == [f"err {i}" for i in range(1, CLIENT_LINES + 1)]

    events = receiver.complete(path)
    sent: dict[str, list[str]] = {"stdout": [], "stderr": []}
    for event in events:
        if event["type"] == LOG:
            sent[event["data"]["stream"]] += event["data"]["lines"]
    assert (sent["stdout"], sent["stderr"]) == (out, err)

    printed = daemon.jobctl("logs", job_id)
    assert printed.returncode == 0
    assert printed.stdout.splitlines() == out
    assert printed.stderr.splitlines() == err


def test_a_log_is_resumed_without_gap_or_repeat(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(
        id=job_id, image=worker_image, command="i=1; while [ $i -le 50 ]; do echo $i; i=$((i+1)); done"
    )
    daemon.ended(job_id)
    whole = daemon.log_lines(job_id)
    for after in (0, 1, 17, 49, 50):
        assert daemon.log_lines(job_id, f"?after={after}") == whole[after:]
    assert daemon.log_lines(job_id, "?tail=3") == whole[-4:]
    assert daemon.log_lines(job_id, "?tail=3&stream=stdout") == whole[-4:]
    assert daemon.log_lines(job_id, "?stream=stderr") == whole[-1:]


def test_events_of_a_job_come_signed_in_order_and_gapless(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    path, key = f"/{job_id}", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="echo hello; exit 3",
        meta={"team": "blue"},
        callback={"url": receiver.url(path), "key": key},
    )
    events = receiver.complete(path)
    assert [e["type"] for e in events] == [START, LOG, EXIT, COMPLETE]
    assert [e["jobsequence"] for e in events] == [1, 2, 3, 4]
    assert len({e["id"] for e in events}) == 4
    assert len({e["jobuid"] for e in events}) == 1
    assert all(e["source"] == "orchestrator/service" and e["specversion"] == "1.0" for e in events)
    assert all(e["data"]["jobId"] == job_id and e["data"]["meta"] == {"team": "blue"} for e in events)
    assert events[1]["data"] == {
        "jobId": job_id,
        "lines": ["hello"],
        "stream": "stdout",
        "meta": {"team": "blue"},
    }
    assert events[2]["data"]["exitCode"] == 3
    complete = events[3]["data"]
    assert (complete["status"], complete["reason"], complete["exitCode"]) == ("failed", "exit-code", 3)
    assert complete["durations"]["total"] >= complete["durations"]["running"] >= 0
    for headers, body in receiver.raw(path):
        assert headers["Content-Type"] == "application/cloudevents+json"
        signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Signature-256"] == f"sha256={signature}"
        Webhook(key).verify(body, headers)
        assert headers["Ce-Id"] == json.loads(body)["id"] == headers["Webhook-Id"]


def test_names_that_are_no_utf8_are_escaped_and_keep_their_bytes(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    path, name, shown = f"/{job_id}", b"caf\xe9.txt", r"caf\xe9.txt"
    make = r'mkdir -p out bad; n=$(printf "caf\351.txt"); echo 7 > "out/$n"; mkfifo "bad/$n"'
    after = {"depends": "job", "optional": True}
    daemon.submit(
        id=job_id,
        image=worker_image,
        command=make,
        callback={"url": receiver.url(path), "events": [ARTIFACT]},
        artifacts=[
            {"id": "names", "type": "list", "in": "out", "depends": "job"},
            {"id": "packed", "type": "archive", "in": "out", "out": "out.tgz", **after},
            {"id": "content", "type": "read", "in": f"out/{shown}", **after},
            {"id": "fifo", "type": "archive", "in": "bad", "out": "bad.tgz", **after},
        ],
    )
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"]) == ("completed", 0)
    told = {
        e["data"]["artifactId"]: e["data"]
        for e in until(lambda: receiver.events(path)[3:] and receiver.events(path), "events")
    }
    assert {id: data["status"] for id, data in told.items()} == {
        "names": "success",
        "packed": "success",
        "content": "success",
        "fifo": "failed",
    }
    assert told["names"]["content"] == [shown]
    assert told["content"]["content"] == 7
    assert told["fifo"]["error"] == f"bad/{shown}: is a FIFO, which an archive cannot contain"
    assert daemon.jobctl("cp", f"{job_id}:out", str(tmp_path / "out")).returncode == 0
    assert [os.fsencode(each.name) for each in (tmp_path / "out").iterdir()] == [name]
    assert daemon.jobctl("cp", f"{job_id}:out.tgz", str(tmp_path / "out.tgz")).returncode == 0
    with tarfile.open(tmp_path / "out.tgz") as archive:
        assert [os.fsencode(each) for each in archive.getnames()] == [name]
    alone = daemon.jobctl("cp", f"{job_id}:out/{shown}", str(tmp_path / "alone"))
    assert alone.returncode != 0
    assert "fetch the folder that contains the file" in alone.stderr


def test_a_filter_selects_and_numbers_the_named_events(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    wanted = [START, COMPLETE]
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="echo x",
        callback={"url": receiver.url(path), "events": wanted},
    )
    events = receiver.complete(path)
    assert [(e["type"], e["jobsequence"]) for e in events] == [(START, 1), (COMPLETE, 2)]
