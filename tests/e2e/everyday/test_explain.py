"""Why a job failed, in words: each cause is told apart from the others, with the job's own last words."""

import json
from collections.abc import Callable

import docker
import pytest

from tests.support.daemon import Daemon, until
from tests.support.terminal import shown

STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def explained(daemon: Daemon, job_id: str) -> str:
    done = daemon.jobctl("explain", job_id)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(daemon: Daemon, job_id: str, image: str, command: object, **spec: object) -> str:
    daemon.submit(id=job_id, image=image, command=command, **spec)
    daemon.ended(job_id)
    return explained(daemon, job_id)


def test_the_last_lines_of_stderr_are_shown(daemon: Daemon, worker_image: str, job_id: str) -> None:
    script = "for n in 1 2 3 4 5 6 7 8; do echo line $n >&2; done; echo to stdout; exit 4"
    text = ended(daemon, job_id, worker_image, script)
    assert "line 8" in text
    assert "line 1" not in text
    assert "to stdout" not in text
    tree = json.loads(daemon.jobctl("explain", "--json", job_id).stdout)["jobs"][0]
    assert tree["lastLines"][-1] == "line 8"


def test_the_remedies_are_commands_of_the_engine(daemon: Daemon, job_id: str) -> None:
    text = ended(daemon, job_id, "jobd-test-no-such-image:1", "true", pull="never")
    assert "docker pull jobd-test-no-such-image:1" in text


def test_control_sequences_of_a_job_reach_no_terminal(daemon: Daemon, worker_image: str, job_id: str) -> None:
    ended(daemon, job_id, worker_image, r"printf '\033]0;t\007\033[2Jlast words\n' >&2; exit 4")
    text = "\n".join(shown(daemon, "explain", job_id))
    assert "last words" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_failed_artifact_has_a_reason(
    daemon: Daemon, worker_image: str, job_id: str, free_port: Callable[[], int]
) -> None:
    text = ended(
        daemon, job_id, worker_image, "true",
        artifacts=[
            {"id": "good", "type": "write", "in": "x", "out": "x"},
            {"id": "lost", "type": "download", "out": "y", "in": f"http://host.docker.internal:{free_port()}/nothing"},
        ],
    )  # fmt: skip
    assert "lost (download): " in text
    assert "good" not in text
    text = ended(
        daemon, f"{job_id}-2", worker_image, "true",
        artifacts=[
            {"id": "first", "type": "read", "in": "not-there"},
            {"id": "second", "type": "read", "in": "nor-this"},
        ],
    )  # fmt: skip
    assert "first (read): " in text
    assert "second (read): " in text


def test_a_kill_from_outside_has_its_own_explanation(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command=STAYS)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "running", "the job runs")
    docker_client.containers.get(f"job-{job_id}-worker").kill()
    daemon.ended(job_id)
    text = explained(daemon, job_id)
    assert "was killed (SIGKILL, exit code 137)" in text
    assert "neither by jobd nor for its memory limit" in text


def test_out_of_memory_and_cancels_have_their_reasons(daemon: Daemon, worker_image: str, job_id: str) -> None:
    text = ended(daemon, job_id, worker_image, "tail /dev/zero", memory=16)
    assert "memory" in text.splitlines()[0]
    assert "16 MiB" in text
    daemon.submit(
        id=f"{job_id}-2", image=worker_image, command="trap '' TERM; while true; do sleep 0.1; done"
    )
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}-2").json["phase"] == "running", "the job runs")
    daemon.jobctl("kill", f"{job_id}-2")
    daemon.ended(f"{job_id}-2")
    first = explained(daemon, f"{job_id}-2").splitlines()[0]
    assert "the job was cancelled by" in first
    assert "SIGKILL" not in first


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("no-such-program --now", "did not find"),
        ("echo '#!/bin/sh' > x; ./x", "is not executable"),
        ("sh -c 'kill -TERM $$'; exit $?", "SIGTERM"),
        ("sh -c 'kill -SEGV $$'; exit $?", "SIGSEGV"),
    ],
)
def test_exit_codes_of_shells_and_signals_are_explained(
    daemon: Daemon, worker_image: str, job_id: str, script: str, words: str
) -> None:
    assert words in ended(daemon, job_id, worker_image, script).splitlines()[0]


def test_the_process_limit_is_named(daemon: Daemon, worker_image: str, job_id: str) -> None:
    script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait; exit 0"
    text = ended(daemon, job_id, worker_image, ["sh", "-c", script], pids=6)
    assert "limit of 6 processes" in text
    assert "--pids-limit" in text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program"], 'the command "no-such-program" does not exist in the image'),
        (["/no/such/path"], 'the command "/no/such/path" does not exist in the image'),
        (["/etc/passwd"], 'the command "/etc/passwd" is not executable'),
        (["/etc"], 'the command "/etc" is not executable'),
    ],
)
def test_a_failed_start_has_a_text(
    daemon: Daemon, worker_image: str, job_id: str, command: list[str], words: str
) -> None:
    text = ended(daemon, job_id, worker_image, command)
    assert words in text
    assert "runc" not in text
    assert "OCI" not in text
    run = daemon.jobctl("run", worker_image, *command)
    assert words in run.stderr
    assert "OCI" not in run.stderr


def test_a_failed_callback_is_noted(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, free_port: Callable[[], int]
) -> None:
    daemon = make_daemon().start()
    daemon.submit(
        id=job_id, image=worker_image, command="true",
        callback={"url": f"http://127.0.0.1:{free_port()}/", "events": ["orchestrator.job.exit", "orchestrator.job.complete"]},
    )  # fmt: skip
    daemon.ended(job_id)
    until(lambda: "2 events have not reached" in explained(daemon, job_id), "it is said")
    text = explained(daemon, job_id)
    assert f"jobctl deliveries {job_id}" in text
    assert "the job completed" in text
