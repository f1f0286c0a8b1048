"""`jobctl exec`: streams, codes as docker's, and the end of its client."""

import subprocess
from collections.abc import Iterator

import docker
import pytest

from tests.e2e.interactive.pipes import command_of, run
from tests.support.daemon import DEADLINE_S, Daemon, until


@pytest.fixture
def running(daemon: Daemon, worker_image: str, job_id: str) -> Iterator[str]:
    """A job whose command runs until it is cancelled."""
    made = run(daemon, "run", "-d", "--name", job_id, "-e", "GIVEN=job", worker_image, "sleep", "600")
    assert made.returncode == 0
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
    yield job_id
    daemon.call("DELETE", f"/v1/jobs/{job_id}")


@pytest.mark.parametrize(
    "command",
    [
        ["true"],
        ["false"],
        ["sh", "-c", "exit 42"],
        ["sh", "-c", "kill -9 $$"],
        ["no-such-command"],
        ["/etc/passwd"],
        ["/etc"],
    ],
    ids=lambda command: " ".join(command),
)
def test_exit_codes_of_exec_are_dockers(
    daemon: Daemon, docker_client: docker.DockerClient, running: str, command: list[str]
) -> None:
    container = docker_client.containers.get(f"job-{running}-worker")
    exec_id = docker_client.api.exec_create(container.id, command)["Id"]
    docker_client.api.exec_start(exec_id)
    expected = docker_client.api.exec_inspect(exec_id)["ExitCode"]
    assert run(daemon, "exec", running, *command).returncode == expected


def test_an_exec_has_streams_variables_a_folder_and_a_user(daemon: Daemon, running: str) -> None:
    script = "pwd; id -u; echo $GIVEN $OWN >&2; cat"
    flags = ["-i", "-w", "/tmp", "-u", "7", "-e", "OWN=exec"]
    done = run(daemon, "exec", *flags, running, "sh", "-c", script, text=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"/tmp\n7\nin", b"job exec\n")
    assert run(daemon, "exec", running, "pwd").stdout == b"/workspace\n"
    assert run(daemon, "logs", running).stdout == b"", "the output of an exec is not in the job's log"


def test_an_exec_that_cannot_run_is_one_clear_sentence(daemon: Daemon, running: str) -> None:
    for arguments, sentence in (
        (["no-such-job", "true"], "no job 'no-such-job'"),
        (["-it", running, "true"], "the input device is not a terminal"),
        (["-w", "relative", running, "pwd"], "workdir: must be an absolute path"),
        (["-e", "=x", running, "true"], "-e"),
        (["-u", "a b", running, "true"], "user: must be"),
    ):
        done = run(daemon, "exec", *arguments)
        assert done.returncode == 125, arguments
        assert sentence in done.stderr.decode()
    daemon.jobctl("cancel", "--grace", "0", running)
    daemon.ended(running)
    done = run(daemon, "exec", running, "true")
    assert (done.returncode, done.stdout) == (125, b"")
    assert "has ended" in done.stderr.decode()


def test_a_killed_exec_ends_the_input_of_its_command(daemon: Daemon, running: str) -> None:
    script = "cat; echo over > /workspace/over"
    program = subprocess.Popen(
        command_of(daemon, "exec", "-i", running, "sh", "-c", script),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(b"x")
    program.stdin.flush()
    assert program.stdout.read(1) == b"x"
    program.kill()
    program.communicate(timeout=DEADLINE_S)
    until(
        lambda: run(daemon, "exec", running, "cat", "over").stdout == b"over\n",
        "the command has read the end",
    )
