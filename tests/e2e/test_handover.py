"""Files of an earlier job as another job's input, and an earlier job's outputs again, through jobd, jobctl and the engine."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.ports import closed_port

SHORT = {"JOB_RETENTION": "1s", "MAINTENANCE_INTERVAL": "200ms"}


def run(daemon: Daemon, name: str, image: str, line: str, *flags: str) -> Any:
    return daemon.jobctl("run", "--name", name, *flags, "--sh", line, image)


def has_volume(client: docker.DockerClient, job_id: str) -> bool:
    try:
        client.volumes.get(f"job-{job_id}-workspace")
    except docker.errors.NotFound:
        return False
    return True


def test_a_job_takes_a_folder_a_file_and_a_workspace_of_an_earlier_job(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    made = run(
        daemon, f"{job_id}-a", worker_image,
        "mkdir -p out/deep && echo one > out/1 && echo two > out/deep/2 && chmod 700 out/1 && ln -s 1 out/link",
        "--user", "4321",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = run(
        daemon, f"{job_id}-b", worker_image,
        "id -u; cat data/1 data/deep/2 copy all/out/1; readlink data/link; stat -c %a:%u data/1; rm -r data",
        "--in", f"data=job:{job_id}-a/out", "--in", f"copy=job:{job_id}-a/out/1", "--in", f"all/=job:{job_id}-a",
        "--user", "1234",
    )  # fmt: skip
    assert (done.stdout.split(), done.returncode) == (
        ["1234", "one", "two", "one", "one", "1", "700:1234"],
        0,
    ), done.stderr
    again = run(daemon, f"{job_id}-c", worker_image, "cat data", "--in", f"data=job:{job_id}-a/out/1")
    assert again.stdout == "one\n", "the source is as before"


def test_last_names_the_job_before(daemon: Daemon, worker_image: str, job_id: str) -> None:
    assert run(daemon, f"{job_id}-a", worker_image, "echo hello > f").returncode == 0
    done = run(daemon, f"{job_id}-b", worker_image, "cat g", "--in", "g=job:@last/f")
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_job_that_is_not_over_is_waited_for(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(id=f"{job_id}-a", image=worker_image, command="sleep 1; echo late > f")
    done = run(daemon, f"{job_id}-b", worker_image, "cat g", "--in", f"g=job:{job_id}-a/f")
    assert (done.stdout, done.returncode) == ("late\n", 0), done.stderr


@pytest.mark.parametrize(
    ("make", "path", "says"),
    [
        ("ln -s / root", "root/etc/passwd", "symbolic link"),
        ("ln -s /etc/passwd f", "f", "symbolic link"),
        ("ln -s ../../../../../etc up", "up/passwd", "not a directory"),
        ("mkfifo f", "f", "is a FIFO"),
        ("mkdir d; mkfifo d/f", "d", "is a FIFO"),
        ("true", "nothing/here", "has no 'nothing/here' in its workspace"),
    ],
)
def test_a_hostile_workspace_gives_nothing_of_the_machine(
    daemon: Daemon, worker_image: str, job_id: str, make: str, path: str, says: str
) -> None:
    assert run(daemon, f"{job_id}-a", worker_image, make).returncode == 0
    source = f"x=job:{job_id}-a/{path}"
    done = run(daemon, f"{job_id}-b", worker_image, "cat x", "--in", source)
    assert done.returncode != 0
    assert "root:" not in done.stdout
    view = daemon.call("GET", f"/v1/jobs/{job_id}-b").json
    assert view["reason"] == "input-failed"
    assert says in view["error"]


def test_a_source_that_cannot_be_is_refused_before_anything_is_stored(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, docker_client: docker.DockerClient
) -> None:
    daemon = make_daemon(environ=SHORT).start()
    artifact = {"id": "in", "type": "job", "in": ".", "out": "x"}
    spec = {"id": f"{job_id}-b", "image": worker_image, "artifacts": [{**artifact, "job": "nobody"}]}
    answer = daemon.call("POST", "/v1/jobs", spec)
    assert (answer.status, answer.json["field"]) == (400, "artifacts[0].job")
    daemon.ended(daemon.submit(id=f"{job_id}-a", image=worker_image, command="true"))
    until(lambda: not has_volume(docker_client, f"{job_id}-a"), "the workspace is removed")

    def refused() -> Any:
        answer = daemon.call(
            "POST", "/v1/jobs?dryRun=1", {**spec, "artifacts": [{**artifact, "job": f"{job_id}-a"}]}
        )
        return answer if "any more" in answer.json["error"] else None

    answer = until(refused, "the removal is stored")
    assert (answer.status, answer.json["field"]) == (400, "artifacts[0].job")
    assert f"job '{job_id}-a' has no workspace any more: jobd removed it at 20" in answer.json["error"]
    assert daemon.call("GET", f"/v1/jobs/{job_id}-b").status == 404


def test_the_workspace_stays_for_a_job_that_waits_also_over_a_kill(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, docker_client: docker.DockerClient
) -> None:
    """Retention of a second would remove the workspace; after the reader's end it does."""
    first, second = f"{job_id}-a", f"{job_id}-b"
    daemon = make_daemon(environ=SHORT).start()
    daemon.call("PUT", "/v1/groups/held", {"paused": True})
    daemon.submit(id=first, image=worker_image, command="sleep 1; echo kept > f")
    artifact = {"id": "in", "type": "job", "job": first, "in": "f", "out": "g"}
    daemon.submit(id=second, image=worker_image, command="cat g", group="held", artifacts=[artifact])
    daemon.ended(first)
    for _ in range(2):
        daemon.kill()
        daemon.start()
        time.sleep(1.5)
    assert has_volume(docker_client, first)
    refused = daemon.jobctl("rm", first)
    assert refused.returncode != 0
    assert f"'{second}' takes files of its workspace" in refused.stderr
    daemon.call("POST", "/v1/groups/held/resume")
    assert daemon.ended(second)["status"] == "completed"
    until(lambda: not has_volume(docker_client, first), "the first workspace is removed")
    until(lambda: not has_volume(docker_client, second), "the second workspace is removed")


def test_a_file_with_holes_that_is_larger_than_the_disk_comes(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    line = "dd of=f bs=1048576 count=0 seek=4000000 </dev/null 2>/dev/null; stat -c %s f"
    made = run(daemon, f"{job_id}-a", worker_image, line)
    assert made.returncode == 0, made.stderr
    line = f"stat -c '%s %b' g; {shlex.join(['rm', 'g'])}"
    done = run(daemon, f"{job_id}-b", worker_image, line, "--in", f"g=job:{job_id}-a/f")
    assert done.stdout.split() == [made.stdout.strip(), "0"], done.stderr


def test_outputs_are_repeated_without_the_work(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path, docker_client: docker.DockerClient
) -> None:
    """The server of an upload is away; jobctl repeats the upload and the copy to the caller's disk once the server is there."""
    with closed_port() as port:
        url = f"http://host.docker.internal:{port}/r"
        done = daemon.jobctl(
            "run", "--name", job_id, "--sh", "echo run >> runs; cat runs", "--out", f"runs={url}",
            "--out", f"runs={tmp_path}/mine", worker_image,
        )  # fmt: skip
        assert done.returncode == 122, done.stderr
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["reason"] == "output-failed"
    (tmp_path / "mine").unlink(missing_ok=True)
    receiver = Receiver(port)
    try:
        again = daemon.jobctl("retry", "--outputs", "--out", f"runs={tmp_path}/mine", job_id)
        assert again.returncode == 0, again.stderr
        new_id = again.stdout.strip()
        waited = daemon.jobctl("wait", new_id)
        assert waited.returncode == 0, waited.stderr
        assert [body for path, _, body in receiver.requests if path == "/r"] == [b"run\n"]
    finally:
        receiver.close()
    assert (tmp_path / "mine").read_text() == "run\n"
    view = daemon.call("GET", f"/v1/jobs/{new_id}").json
    assert (view["status"], view["exitCode"], view["retriedFrom"]) == ("completed", 0, job_id)
    with pytest.raises(docker.errors.NotFound):
        docker_client.containers.get(f"job-{new_id}-worker")
    refused = daemon.jobctl("retry", "--outputs", job_id)
    assert refused.returncode != 0
    assert f"job '{new_id}' has taken over the workspace" in refused.stderr
    assert daemon.jobctl("rm", new_id, job_id).returncode == 0
    until(lambda: not has_volume(docker_client, job_id), "the workspace is removed")


def test_outputs_of_a_removed_workspace_are_refused_with_the_time(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ=SHORT).start()
    daemon.submit(id=job_id, image=worker_image, command="true", outputs=[{"path": "nothing"}])
    assert daemon.ended(job_id)["reason"] == "output-failed"

    until(
        lambda: daemon.call("GET", f"/v1/jobs/{job_id}/files?path=.").status != 200,
        "the workspace is removed",
    )
    done = daemon.jobctl("retry", "--outputs", job_id)
    assert done.returncode != 0
    assert f"job '{job_id}' has no workspace any more: jobd removed it at 20" in done.stderr
    assert f"jobctl retry {job_id} runs the whole job anew" in done.stderr
