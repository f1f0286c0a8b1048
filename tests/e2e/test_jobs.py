"""The main paths of a job through the real daemon and the real engine."""

import hashlib
import hmac
import json
import os
import re
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest
from standardwebhooks import Webhook

from tests.support.daemon import Daemon, Receiver, until

CLIENT_LINES = 500
START, LOG, EXIT = "orchestrator.job.start", "orchestrator.job.log", "orchestrator.job.exit"
RETRY = "orchestrator.job.retry"
ARTIFACT, COMPLETE = "orchestrator.job.artifact", "orchestrator.job.complete"


def resources(client: docker.DockerClient, job_id: str) -> tuple[list[Any], list[Any]]:
    """Returns what the engine lists of a job: containers and volumes, as the API gives them (no look at each, which
    one that is being removed would fail).
    """
    wanted = {"label": f"job.id={job_id}"}
    containers = client.api.containers(all=True, filters=wanted)
    return containers, client.api.volumes(filters=wanted)["Volumes"] or []


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
def test_the_exit_code_is_that_of_the_command(
    daemon: Daemon, worker_image: str, job_id: str, code: int
) -> None:
    daemon.submit(id=job_id, image=worker_image, command=f"exit {code}")
    view = daemon.ended(job_id)
    assert view["exitCode"] == code
    assert view["status"] == ("completed" if code == 0 else "failed")
    assert view.get("reason") == (None if code == 0 else "exit-code")


def test_a_missing_command_has_the_same_code_in_the_job_its_events_and_its_log(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    daemon.submit(
        id=job_id, image=worker_image, command=["no-such-command"], callback={"url": receiver.url(path)}
    )
    assert (daemon.ended(job_id)["exitCode"], daemon.ended(job_id)["reason"]) == (127, "start-failed")
    events = receiver.complete(path)
    assert [(e["type"], e["data"]["exitCode"]) for e in events] == [(EXIT, 127), (COMPLETE, 127)]
    assert daemon.log_lines(job_id)[-1]["end"]["exitCode"] == 127


def test_the_times_of_short_jobs_are_in_one_order(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    ids = [f"{job_id}-{number}" for number in range(30)]

    def run(each: str) -> dict[str, Any]:
        daemon.submit(
            id=each,
            image=worker_image,
            command=["false"],
            retries=1,
            callback={"url": receiver.url(f"/{each}")},
        )
        return daemon.ended(each)

    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(run, ids))
    for view in views:
        moments = [view["createdAt"]]
        for attempt in view["attempts"]:
            moments += [attempt["startedAt"], attempt["finishedAt"]]
        moments.append(view["finishedAt"])
        assert moments == sorted(moments)
        assert view["startedAt"] == view["attempts"][-1]["startedAt"]
        events = receiver.complete(f"/{view['id']}")
        assert [event["time"] for event in events] == sorted(event["time"] for event in events)
        assert events[-1]["time"] >= view["finishedAt"]


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
    assert told["fifo"]["error"] == f"bad/{shown}: is a FIFO, which an archive cannot hold"
    assert daemon.jobctl("cp", f"{job_id}:out", str(tmp_path / "out")).returncode == 0
    assert [os.fsencode(each.name) for each in (tmp_path / "out").iterdir()] == [name]
    assert daemon.jobctl("cp", f"{job_id}:out.tgz", str(tmp_path / "out.tgz")).returncode == 0
    with tarfile.open(tmp_path / "out.tgz") as archive:
        assert [os.fsencode(each) for each in archive.getnames()] == [name]
    alone = daemon.jobctl("cp", f"{job_id}:out/{shown}", str(tmp_path / "alone"))
    assert alone.returncode != 0
    assert "fetch the folder that holds it" in alone.stderr


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


def test_one_container_without_artifacts_two_with(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    plain, moved = f"{job_id}-p", f"{job_id}-m"
    daemon.submit(id=plain, image=worker_image, command="true")
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(id=moved, image=worker_image, command="cat in.txt", artifacts=[write])
    for name, roles in ((plain, {"worker"}), (moved, {"worker", "sidecar"})):
        assert daemon.ended(name)["status"] == "completed"
        containers, volumes = resources(docker_client, name)
        assert {c["Names"][0] for c in containers} == {f"/job-{name}-{role}" for role in roles}
        assert {c["Labels"]["job.type"] for c in containers} == roles
        assert all(c["Labels"]["managed-by"] == "jobs-service" for c in containers)
        assert [v["Name"] for v in volumes] == [f"job-{name}-workspace"]
    for name in (plain, moved):
        assert daemon.call("DELETE", f"/v1/jobs/{name}").status == 204
        assert daemon.call("GET", f"/v1/jobs/{name}").status == 404
        gone(docker_client, name)


def gone(client: docker.DockerClient, job_id: str) -> None:
    until(lambda: resources(client, job_id) == ([], []), f"nothing of {job_id} is left")


def test_a_deleted_running_job_says_that_it_was_cancelled_and_frees_its_id(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    spec = {
        "id": job_id,
        "image": worker_image,
        "command": "echo up; sleep 600",
        "callback": {"url": receiver.url(path)},
    }
    daemon.submit(**spec)
    wait_running(daemon, job_id)
    assert daemon.call("POST", "/v1/jobs", spec).status == 409
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 404
    events = receiver.complete(path)
    assert events[-1]["data"]["status"] == "cancelled"
    assert [e["type"] for e in events].count(EXIT) == 1
    gone(docker_client, job_id)
    again(daemon, {**spec, "command": "true"})
    assert daemon.ended(job_id)["status"] == "completed"


def again(daemon: Daemon, spec: dict[str, Any], taken: str = "deleting") -> None:
    """Submits until the id is free; until then the answer has this code."""

    def submit() -> bool:
        answer = daemon.call("POST", "/v1/jobs", spec)
        assert answer.status == 202 or (answer.status, answer.json["code"]) == (409, taken)
        return answer.status == 202

    until(submit, f"the id {spec['id']} is free again")


def wait_running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", f"{job_id} runs")


def test_cancel_keeps_the_record_with_who(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(id=job_id, image=worker_image, command="trap 'exit 9' TERM; echo up; sleep 600 & wait")
    wait_running(daemon, job_id)
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"by": "a person"}).status == 202
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["cancelledBy"]) == ("cancelled", "cancelled", "a person")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 409


def test_cancel_takes_a_signal_and_a_reason(daemon: Daemon, worker_image: str, job_id: str) -> None:
    script = "trap 'echo interrupted; exit 9' INT; echo up; while true; do sleep 0.1; done"
    daemon.submit(id=job_id, image=worker_image, command=script)
    until(lambda: daemon.log_lines(job_id), f"{job_id} is up")
    body = {"reason": "wrong input", "signal": "SIGINT", "graceSeconds": 60}
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", body).status == 202
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"], view["cancelReason"]) == ("cancelled", 9, "wrong input")
    assert view["error"].endswith(": wrong input")
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["up", "interrupted"]


def test_a_worker_is_measured_while_it_runs(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="x=$(head -c 20000000 /dev/zero | tr '\\0' x); while true; do :; done",
    )
    usage = until(
        lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("usage"), "the worker is measured"
    )
    assert usage["cpuSeconds"] > 0
    assert usage["memoryPeakBytes"] > 20_000_000
    shown = next(
        line for line in daemon.jobctl("top", "--once").stdout.splitlines() if line.startswith(f"{job_id} ")
    )
    assert re.search(r"\d\.\d\d / 1  +\d+\.\d MiB / 512 MiB", shown), shown
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"signal": "SIGKILL"}).status == 202
    assert daemon.ended(job_id)["usage"]["memoryPeakBytes"] >= usage["memoryPeakBytes"]


def test_the_timeout_kills_a_worker_that_ignores_sigterm(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    script = "trap '' TERM; while true; do sleep 1; done"
    daemon.submit(id=job_id, image=worker_image, command=script, timeoutSeconds=1)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "timeout", 137)


@pytest.mark.parametrize(
    ("image", "command", "reason", "code"),
    [
        ("no-such-image-anywhere:1", None, "image-not-found", -1),
        ("busybox:latest", ["/no/such/program"], "start-failed", 127),
    ],
)
def test_a_job_that_cannot_start_has_a_reason(
    daemon: Daemon, receiver: Receiver, job_id: str, image: str, command: Any, reason: str, code: int
) -> None:
    path = f"/{job_id}"
    spec = {"command": command} if command else {}
    pull = "never" if reason == "image-not-found" else "missing"
    daemon.submit(id=job_id, image=image, pull=pull, callback={"url": receiver.url(path)}, **spec)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", reason)
    assert view["error"]
    events = receiver.complete(path)
    assert [e["type"] for e in events] == [EXIT, COMPLETE]
    assert [e["data"]["exitCode"] for e in events] == [code, code]
    assert view.get("exitCode", -1) == code
    assert events[0]["data"]["error"]


def test_a_failed_attempt_is_repeated_from_fresh_containers(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    path = f"/{job_id}"
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="test ! -e mark || exit 99; touch mark; cat in.txt; exit 3",
        artifacts=[write],
        retries=1,
        retryOn=[3],
        callback={"url": receiver.url(path)},
    )
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"]) == ("failed", 3)
    assert [(a["number"], a["exitCode"], a["reason"]) for a in view["attempts"]] == [
        (1, 3, "exit-code"),
        (2, 3, "exit-code"),
    ]
    events = receiver.complete(path)
    assert [e["type"] for e in events] == [ARTIFACT, START, LOG, RETRY, ARTIFACT, LOG, EXIT, COMPLETE]
    assert len({e["id"] for e in events}) == len(events)
    retry = events[3]["data"]
    assert (retry["attempt"], retry["reason"], retry["exitCode"]) == (1, "exit-code", 3)
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["hello", "hello"]
    assert len(resources(docker_client, job_id)[0]) == 2


def test_fifty_jobs_ten_at_a_time(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> None:
    def one(number: int) -> None:
        daemon.submit(
            id=f"{job_id}-{number}",
            image=worker_image,
            command=f"echo {number}",
            callback={"url": receiver.url(f"/{job_id}-{number}"), "events": [START, EXIT, COMPLETE]},
        )

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(one, range(50)))
    for number in range(50):
        assert daemon.ended(f"{job_id}-{number}")["status"] == "completed"
        events = receiver.complete(f"/{job_id}-{number}")
        assert [e["type"] for e in events] == [START, EXIT, COMPLETE]


def test_killed_in_the_middle_of_a_job_then_started_again(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    path = f"/{job_id}"
    daemon = make_daemon().start()
    script = "i=1; while [ $i -le 40 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; exit 5"
    read = {"id": "r", "type": "read", "in": "x", "depends": "job", "when": "always", "optional": True}
    daemon.submit(
        id=job_id, image=worker_image, command=script, artifacts=[read], callback={"url": receiver.url(path)}
    )
    wait_running(daemon, job_id)
    daemon.kill()
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["exitCode"], view["reason"]) == (5, "exit-code")
    events = receiver.complete(path)
    by_id = {e["id"]: e for e in events}
    ordered = sorted(by_id.values(), key=lambda e: e["jobsequence"])
    assert [e["jobsequence"] for e in ordered] == list(range(1, len(ordered) + 1))
    types = [e["type"] for e in ordered]
    assert (types.count(START), types.count(EXIT), types.count(COMPLETE)) == (1, 1, 1)
    lines = [line for e in ordered if e["type"] == LOG for line in e["data"]["lines"]]
    assert lines == [f"line {i}" for i in range(1, 41)]
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    gone(docker_client, job_id)


def test_a_large_spec_works_and_secrets_stay_out_of_inspect(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    key, signature = "callback-key-0123456789", "X-Presigned=abcdef0123456789"
    text = "x" * 880_000
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="wc -c < big.txt | tr -d ' ' > out.txt",
        artifacts=[
            {"id": "big", "type": "write", "in": text, "out": "big.txt"},
            {"id": "read", "type": "read", "in": "out.txt", "depends": "job"},
            {
                "id": "put",
                "type": "upload",
                "in": "out.txt",
                "out": f"http://host.docker.internal:{receiver.port}/{job_id}-put?{signature}",
                "depends": "job",
            },
        ],
        callback={"url": receiver.url(f"/{job_id}"), "key": key},
    )
    view = daemon.ended(job_id)
    assert view["status"] == "completed", view
    events = receiver.complete(f"/{job_id}")
    content = {e["data"]["artifactId"]: e["data"] for e in events if e["type"] == ARTIFACT}
    assert content["read"]["content"] == 880_000
    assert receiver.raw(f"/{job_id}-put?{signature}")[0][1] == b"880000\n"
    containers, _ = resources(docker_client, job_id)
    for container in containers:
        shown = json.dumps(docker_client.api.inspect_container(container["Id"]))
        assert key not in shown
        assert signature not in shown


def test_after_retention_nothing_remains(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"JOB_RETENTION": "1s", "MAINTENANCE_INTERVAL": "200ms"}).start()
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(id=job_id, image=worker_image, command="true", artifacts=[write])
    daemon.ended(job_id)
    gone(docker_client, job_id)
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "completed"
    # The record that all of it is gone comes a moment after that.
    again(daemon, {"id": job_id, "image": worker_image, "command": "true"}, taken="exists")
    daemon.ended(job_id)


def test_a_workspace_in_use_does_not_block_the_cleanup_of_other_jobs(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"JOB_RETENTION": "2s", "MAINTENANCE_INTERVAL": "200ms"}).start()
    held, other = f"{job_id}-held", f"{job_id}-other"
    daemon.submit(id=held, image=worker_image, command="true")
    daemon.ended(held)
    holder = docker_client.containers.create(
        worker_image, "true", volumes={f"job-{held}-workspace": {"bind": "/w"}}
    )
    try:
        daemon.submit(id=other, image=worker_image, command="true")
        daemon.ended(other)
        gone(docker_client, other)
        assert resources(docker_client, held)[1]
    finally:
        holder.remove(force=True)
    gone(docker_client, held)
