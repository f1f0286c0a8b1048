"""Jobs in a cluster, through jobctl and the API: all that a job may have, and what a user sees of it."""

import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.kubernetes.places import GATEWAY
from tests.kubernetes.conftest import SMALL, from_pods, pods
from tests.support.daemon import Daemon, Receiver, until
from tests.support.kubernetes.kubectl import pods_of

SLOW_S = 180.0
KINDS = ["artifact", "start", "exit", "artifact", "complete"]


def run(daemon: Daemon, name: str, image: str, line: str, *flags: str, cwd: Path | None = None) -> Any:
    return daemon.jobctl("run", "--name", name, *SMALL, *flags, "--sh", line, image, cwd=cwd)


def submit(daemon: Daemon, name: str, image: str, line: str, **fields: Any) -> str:
    return daemon.submit(id=name, image=image, command=line, cpu=0.05, memory=32, **fields)


def running(daemon: Daemon, name: str) -> None:
    """Waits until the job's command runs."""
    until(lambda: daemon.call("GET", f"/v1/jobs/{name}").json.get("startedAt"), f"{name} runs", SLOW_S)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and its URL for Pods."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("0.0.0.0", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://{GATEWAY}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_job_has_its_log_its_exit_code_and_its_labels(daemon: Daemon, image: str, job_id: str) -> None:
    done = run(daemon, job_id, image, "echo out; echo err >&2; exit 7")
    assert done.returncode == 7, done.stderr
    assert sorted(done.stdout.split()) == ["err", "out"], "the cluster's log is one stream"
    (pod,) = pods_of(job_id)
    labels = pod["metadata"]["labels"]
    assert (labels["managed-by"], labels["job.attempt"]) == ("jobs-service", "1")
    assert not pod["spec"]["automountServiceAccountToken"]
    assert daemon.jobctl("rm", job_id).returncode == 0
    until(lambda: not pods_of(job_id), "the Pod is removed", SLOW_S)


def test_every_kind_of_artifact_works_and_its_events_come(
    daemon: Daemon, image: str, job_id: str, receiver: Receiver, served: tuple[Path, str]
) -> None:
    folder, url = served
    (folder / "text").write_text("abcde")
    with tarfile.open(folder / "packed.tar.gz", "w:gz") as tar:
        tar.add(folder / "text", "inside/text")
    artifacts: list[dict[str, Any]] = [
        {"id": "get", "type": "download", "in": f"{url}/packed.tar.gz", "out": "packed.tar.gz"},
        {"id": "unpack", "type": "unarchive", "in": "packed.tar.gz", "out": "data", "depends": "get"},
        {"id": "note", "type": "write", "in": "a note", "out": "note"},
        {"id": "read", "type": "read", "in": "out/result", "depends": "job"},
        {"id": "list", "type": "list", "in": "out", "depends": "job"},
        {"id": "pack", "type": "archive", "in": "out", "out": "out.tar.gz", "depends": "job"},
        {"id": "put", "type": "upload", "in": "out.tar.gz", "out": from_pods(receiver, "/put"), "depends": "pack"},
    ]  # fmt: skip
    line = "mkdir out && cat data/inside/text note > out/result && cat /run/secrets/token >> out/result"
    submit(
        daemon, job_id, image, line, artifacts=artifacts, secrets={"token": "!secret!"},
        callback={"url": from_pods(receiver, "/events"), "key": "whsec_" + "00" * 24},
    )  # fmt: skip
    view = daemon.ended(job_id, SLOW_S)
    assert (view["status"], view["exitCode"]) == ("completed", 0), view
    assert {one["id"]: one["status"] for one in view["artifacts"]} == dict.fromkeys(
        ["get", "unpack", "note", "read", "list", "pack", "put"], "success"
    )
    events = receiver.complete("/events")
    kinds = [event["type"].rpartition(".")[2] for event in events]
    assert [kind for at, kind in enumerate(kinds) if kinds[at - 1 : at] != [kind]] == KINDS
    assert [event["jobsequence"] for event in events] == list(range(1, len(events) + 1))
    read = next(event["data"] for event in events if event["data"].get("artifactId") == "read")
    assert "abcdea note" in json.dumps(read)
    assert "!secret!" not in json.dumps([pod["spec"] for pod in pods_of(job_id)])
    assert len(receiver.raw("/put")) == 1


def test_local_files_go_in_and_out(daemon: Daemon, image: str, job_id: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "numbers").write_text("2\n1\n")
    done = run(
        daemon, job_id, image, "sort in/numbers > sorted; cat sorted", "--in", "in=in", "--out", "sorted=copy",
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["1", "2"]), done.stderr
    assert (tmp_path / "copy").read_text() == "1\n2\n"
    copied = daemon.jobctl("cp", f"{job_id}:sorted", str(tmp_path / "again"))
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "again").read_text() == "1\n2\n"


def test_files_go_from_job_to_job(daemon: Daemon, image: str, job_id: str) -> None:
    """All three are submitted at once; the second takes a folder and a whole workspace, the third a file of the second."""
    first, second, third = (f"{job_id}-{n}" for n in (1, 2, 3))
    note = [{"id": "n", "type": "write", "in": "note", "out": "note"}]
    submit(daemon, first, image, "mkdir -p d/e; echo made > d/e/f; ln -s e d/link", artifacts=note)
    taken = [
        {"id": "d", "type": "job", "job": first, "in": "d", "out": "data"},
        {"id": "all", "type": "job", "job": first, "in": ".", "out": "all"},
    ]
    submit(
        daemon, second, image, "cat data/e/f all/note all/d/e/f > both; readlink data/link",
        artifacts=taken, after=[{"job": first}],
    )  # fmt: skip
    submit(
        daemon, third, image, "cat copy",
        artifacts=[{"id": "c", "type": "job", "job": second, "in": "both", "out": "copy"}], after=[{"job": second}],
    )  # fmt: skip
    for name in (first, second, third):
        view = daemon.ended(name, SLOW_S)
        assert view["status"] == "completed", view
    assert [line["line"] for line in daemon.log_lines(third) if "line" in line] == ["made", "notemade"]
    until(
        lambda: all(pod["status"]["phase"] != "Running" for pod in pods(daemon)),
        "the sidecars end once nobody needs the files",
        SLOW_S,
    )


def test_files_that_are_gone_are_said_so(daemon: Daemon, image: str, job_id: str) -> None:
    assert run(daemon, job_id, image, "echo x > f").returncode == 0
    done = run(daemon, f"{job_id}-b", image, "cat g", "--in", f"g=job:{job_id}/f")
    assert done.returncode not in (0, 1)
    assert "are gone: on Kubernetes they are there while its sidecar runs" in done.stderr


def test_a_job_is_cancelled_and_stopped_at_its_time_limit(daemon: Daemon, image: str, job_id: str) -> None:
    submit(daemon, job_id, image, "sleep 600", stopTimeoutSeconds=1)
    running(daemon, job_id)
    assert daemon.jobctl("cancel", job_id).returncode == 0
    assert daemon.ended(job_id, SLOW_S)["status"] == "cancelled"
    late = f"{job_id}-late"
    submit(daemon, late, image, "trap '' TERM; sleep 600", timeoutSeconds=2, stopTimeoutSeconds=1)
    view = daemon.ended(late, SLOW_S)
    assert (view["status"], view["reason"]) == ("failed", "timeout")


def test_a_job_is_repeated(daemon: Daemon, image: str, job_id: str) -> None:
    submit(daemon, job_id, image, "exit 5", retries=1)
    view = daemon.ended(job_id, SLOW_S)
    assert [one["exitCode"] for one in view["attempts"]] == [5, 5]
    assert max(pod["metadata"]["labels"]["job.attempt"] for pod in pods_of(job_id)) == "2"


def test_a_job_without_a_place_says_what_it_waits_for_and_can_be_cancelled(
    daemon: Daemon, image: str, job_id: str
) -> None:
    submit(daemon, job_id, image, "true", platform="linux/sparc")

    def told() -> bool:
        return "nodes are available" in daemon.jobctl("explain", job_id).stdout

    until(told, "explain has the scheduler's reason", SLOW_S)
    daemon.jobctl("cancel", job_id)
    assert daemon.ended(job_id, SLOW_S)["status"] == "cancelled"
    until(lambda: not pods_of(job_id), "the Pod that has not run is removed", SLOW_S)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"image": "no-such-image:1", "pull": "never"}, "image-not-found"), ({"command": ["/none"]}, "start-failed")],
    ids=["image", "command"],
)  # fmt: skip
def test_what_cannot_start_fails_with_its_reason(
    daemon: Daemon, image: str, job_id: str, fields: dict[str, Any], reason: str
) -> None:
    daemon.submit(**{"id": job_id, "image": image, "cpu": 0.05, "memory": 32, **fields})
    view = daemon.ended(job_id, SLOW_S)
    assert (view["status"], view["reason"]) == ("failed", reason)
    assert view["error"]


def test_what_a_pod_does_not_have_is_refused_at_submission(daemon: Daemon, image: str, job_id: str) -> None:
    answer = daemon.call("POST", "/v1/jobs", {"id": job_id, "image": image, "stdin": True})
    assert answer.status == 400
    assert "stdin" in json.dumps(answer.json)
    limits = daemon.call("GET", "/v1/version").json["engineLimits"]
    assert "stdin, tty, attach" in limits
    assert "stdin, tty, attach" in daemon.jobctl("doctor").stdout


def test_commands_beside_a_job(daemon: Daemon, image: str, job_id: str) -> None:
    submit(daemon, job_id, image, "echo begun; sleep 600", stopTimeoutSeconds=0)
    running(daemon, job_id)
    assert daemon.jobctl("exec", job_id, "sh", "-c", "echo beside; exit 3").returncode == 3
    assert job_id in daemon.jobctl("top", "--once").stdout
    assert job_id in daemon.jobctl("ls", "-q").stdout
    until(lambda: daemon.jobctl("logs", job_id).stdout == "begun\n", "the log has the first line", SLOW_S)
    assert daemon.jobctl("rm", "--force", job_id).returncode == 0
    until(lambda: not pods_of(job_id), "the Pod is removed", SLOW_S)


def test_fifty_jobs_ten_at_a_time(
    make_cluster_daemon: Callable[..., Daemon], image: str, job_id: str, receiver: Receiver
) -> None:
    daemon = make_cluster_daemon(MAX_CONCURRENT_JOBS="10").start()
    names = [f"{job_id}-{n}" for n in range(50)]
    for number, name in enumerate(names):
        submit(
            daemon, name, image, f"exit {number % 3}",
            callback={"url": receiver.url(f"/{name}"), "key": "whsec_" + "00" * 24},
        )  # fmt: skip
    codes = [daemon.ended(name, 600)["exitCode"] for name in names]
    assert codes == [number % 3 for number in range(50)]
    for name in names:
        events = receiver.complete(f"/{name}")
        assert len({event["id"] for event in events}) == len(events)
        assert [event["jobsequence"] for event in events] == list(range(1, len(events) + 1))
