"""A failed job says why: in the record, in `explain` and in one sentence at the end of `run`."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.support.daemon import Daemon, until

WRITES = "mkdir -p out && touch out/model-1.bin out/log.txt result.csv"


def error_of(daemon: Daemon, job_id: str) -> str:
    return str(daemon.call("GET", f"/v1/jobs/{job_id}").json["error"])


def explained(daemon: Daemon, job_id: str) -> str:
    done = daemon.jobctl("explain", job_id)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_missing_output_says_what_its_folder_holds(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--name", job_id, "--read", "out/model.bin", "--sh", WRITES, worker_image)
    why = "out/model.bin: does not exist in the workspace; the folder out holds model-1.bin, log.txt"
    assert done.returncode == 122
    assert done.stderr.splitlines()[-1] == (
        f"jobctl: {job_id} failed (output-failed): output 'read-1' (read) failed: {why}; for details: jobctl explain {job_id}"
    )
    assert f"artifact read-1 (read): {why}" in explained(daemon, job_id)
    assert "jobctl show" not in explained(daemon, job_id)


def test_a_missing_local_output_says_what_its_folder_holds(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    done = daemon.jobctl(
        "run", "--name", job_id, "--out", f"result.txt={tmp_path}/", "--out", f"deep/x/y={tmp_path}/", "--sh", WRITES, worker_image
    )  # fmt: skip
    assert done.returncode == 122
    why = (
        "the command succeeded but the job has no 'result.txt' (the workspace holds result.csv, out/),"
        " 'deep/x/y' (the workspace holds out/, result.csv)"
    )
    assert why in done.stderr.splitlines()[-1]
    assert error_of(daemon, job_id) == why
    assert why in explained(daemon, job_id)


def test_a_large_file_beside_a_missing_output_is_not_read_whole(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    script = "truncate -s 3000000000 a-sparse-file; touch z"
    done = daemon.jobctl("run", "--name", job_id, "--out", f"none={tmp_path}/", "--sh", script, worker_image)
    assert "has no 'none' (the workspace holds a-sparse-file and others)" in done.stderr


def test_out_of_memory_names_the_limit(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--name", job_id, "-m", "16m", "--sh", "tail /dev/zero", worker_image)
    assert done.returncode == 137
    assert "(oom-killed): killed by the kernel: over 16 MB of memory, the job's limit" in done.stderr
    assert "more than the job's 16 MiB of memory" in explained(daemon, job_id).splitlines()[0]


def test_out_of_memory_names_the_measured_use(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        memory=64,
        command="while [ ! -f go ]; do sleep 0.1; done; tail /dev/zero",
    )
    until(lambda: "usage" in daemon.call("GET", f"/v1/jobs/{job_id}").json, "jobd has measured the worker")
    worker = docker.from_env().containers.get(f"job-{job_id}-worker")
    worker.exec_run(["touch", "/workspace/go"])
    daemon.ended(job_id)
    assert "; measured use: up to " in error_of(daemon, job_id)
    assert "MiB of memory (measured use: up to " in explained(daemon, job_id).splitlines()[0]


@pytest.fixture
def local_image(docker_client: docker.DockerClient, worker_image: str) -> Iterator[str]:
    """An image that is only on this engine."""
    name = f"near-{uuid.uuid4().hex[:8]}"
    docker_client.images.get(worker_image).tag(name, "1")
    yield f"{name}:1"
    docker_client.images.remove(f"{name}:1")


def test_a_missing_image_has_near_names(daemon: Daemon, local_image: str, job_id: str) -> None:
    wrong = local_image.replace("near-", "naer-")
    done = daemon.jobctl("run", "--name", job_id, "--pull", "never", wrong, "true")
    assert done.returncode == 123
    assert f"similar names on this machine: {local_image}; for details" in done.stderr
    assert f"similar names on this machine: {local_image}" in explained(daemon, job_id)
    tag = daemon.jobctl("run", "--pull", "never", local_image.replace(":1", ":2"), "true")
    assert f"similar names on this machine: {local_image}" in tag.stderr


def test_a_signal_that_jobd_did_not_send_is_named(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--name", job_id, "--sh", "sh -c 'kill -SEGV $$'; exit $?", worker_image)
    assert done.returncode == 139
    assert done.stderr.splitlines()[-1] == (
        f"jobctl: {job_id} failed (exit-code): the command was ended by SIGSEGV (exit code 139), which jobd did not send;"
        f" for details: jobctl explain {job_id}"
    )
    plain = daemon.jobctl("run", "--sh", "exit 3", worker_image)
    assert (plain.returncode, plain.stderr) == (3, "")


def test_an_output_that_fails_beside_the_command_is_named(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    job = {
        "id": job_id, "image": worker_image, "command": "exit 3",
        "artifacts": [{"id": "log", "type": "read", "in": "log.txt", "depends": "job", "when": "always"}],
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = daemon.jobctl("run", "-f", str(tmp_path / "job.json"))
    assert done.returncode == 3
    assert (
        "artifact log (read): log.txt: does not exist in the workspace; the workspace is empty" in done.stderr
    )
