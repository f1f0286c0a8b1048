"""`jobctl run -i` and `exec` in pipes: bytes unchanged in both directions, ends passed on, flat memory, codes as docker's."""

import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until

BLOCK = 1 << 20
SIZE = 100 * BLOCK
MORE_MEMORY_KB = 48 * 1024
"""A buffer without a bound would take a hundred megabytes."""
JOBCTL_MEMORY_KB = 64 * 1024


def command_of(daemon: Daemon, *arguments: str, http: bool = False) -> list[str]:
    host = daemon.http if http else f"unix://{daemon.socket}"
    return [sys.executable, "-m", "jobctl", "--host", host, *arguments]


def run(daemon: Daemon, *arguments: str, text: bytes = b"", http: bool = False) -> Any:
    return subprocess.run(
        command_of(daemon, *arguments, http=http), input=text, capture_output=True, timeout=2 * DEADLINE_S
    )


def peak_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no peak")


@pytest.mark.parametrize("http", [False, True])
def test_a_pipe_is_sorted(daemon: Daemon, worker_image: str, job_id: str, http: bool) -> None:
    done = run(daemon, "run", "--name", job_id, "-i", worker_image, "sort", text=b"b\nc\na\n", http=http)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\nb\nc\n", b"")
    assert run(daemon, "logs", job_id).stdout == b"a\nb\nc\n", "the output is logged as for any job"


def test_streams_and_code_are_the_commands_own(daemon: Daemon, worker_image: str) -> None:
    script = "cat; printf 'no newline' >&2; exit 9"
    done = run(daemon, "run", "-i", worker_image, "sh", "-c", script, text=b"x\0\xff")
    assert (done.returncode, done.stdout, done.stderr) == (9, b"x\0\xff", b"no newline")


def test_an_empty_input_ends_at_once(daemon: Daemon, worker_image: str) -> None:
    done = run(daemon, "run", "-i", worker_image, "sh", "-c", "cat; echo over")
    assert (done.returncode, done.stdout) == (0, b"over\n")


def test_a_command_may_end_before_its_input(daemon: Daemon, worker_image: str) -> None:
    line = f"yes | {shlex.join(command_of(daemon, 'run', '-i', worker_image, 'head', '-n', '2'))}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=2 * DEADLINE_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"y\ny\n", b"")


def test_a_command_that_cannot_start_is_told_with_input_open(daemon: Daemon, worker_image: str) -> None:
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            command_of(daemon, "run", "-i", worker_image, "no-such-command"),
            stdin=reader,
            capture_output=True,
            timeout=2 * DEADLINE_S,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 127
    assert b"no-such-command" in done.stderr


def test_a_hundred_megabytes_pass_unchanged_in_flat_memory(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, tmp_path: Path
) -> None:
    daemon = make_daemon(environ={"LOG_MAX_BYTES": str(BLOCK)}).start()
    assert daemon.process is not None
    data, sent = tmp_path / "data", hashlib.sha256()
    block = os.urandom(BLOCK)
    with data.open("wb") as file:
        for number in range(SIZE // BLOCK):
            part = number.to_bytes(4, "big") + block[4:]
            sent.update(part)
            file.write(part)
    before = peak_kb(daemon.process.pid)
    with data.open("rb") as source:
        program = subprocess.Popen(
            command_of(daemon, "run", "--name", job_id, "-i", worker_image, "cat"),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        digest = subprocess.Popen(["sha256sum"], stdin=program.stdout, stdout=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.close()
    peak = 0

    def ended() -> bool:
        nonlocal peak
        if program.poll() is None:
            peak = max(peak, peak_kb(program.pid))
        return program.poll() is not None

    until(ended, "all bytes have passed", 3 * DEADLINE_S)
    out, _ = digest.communicate(timeout=DEADLINE_S)
    assert program.stderr is not None
    assert (program.returncode, program.stderr.read()) == (0, b"")
    program.stderr.close()
    assert out.split()[0].decode() == sent.hexdigest()
    assert 0 < peak < JOBCTL_MEMORY_KB
    assert peak_kb(daemon.process.pid) - before < MORE_MEMORY_KB


def test_a_reader_that_stops_reading_stops_the_command(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    """Jobctl and jobd buffer a bounded part; the rest waits in the command."""
    script = "i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero; i=$((i + 1)); echo $i > seen; done"
    program = subprocess.Popen(
        command_of(daemon, "run", "--name", job_id, "-i", worker_image, "sh", "-c", script),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stdout.read(1) == b"\0"

    def seen() -> int:
        done = run(daemon, "exec", job_id, "cat", "seen")
        return int(done.stdout or b"0")

    stood = until(
        lambda: (count := seen()) and count == (again := seen()) and again, "the command stands still"
    )
    assert stood < 40
    assert len(program.stdout.read()) == 40_000_000 - 1
    program.stdout.close()
    assert program.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-it"], "the input device is not a terminal, which -t with -i needs"),
        (["-i", "--json"], "-i and -t print the job's output as it is, not as JSON"),
        (["-i", "--retries", "2"], "cannot be combined with stdin, tty or attach"),
        (["-i", "--detach-keys", "nothing"], "'nothing' is no key"),
    ],
)
def test_what_does_not_go_together_is_one_clear_sentence(
    daemon: Daemon, worker_image: str, job_id: str, arguments: list[str], sentence: str
) -> None:
    done = run(daemon, "run", "--name", job_id, *arguments, worker_image, "cat")
    assert done.returncode == 125
    assert sentence in done.stderr.decode()
    assert done.stdout == b""
    assert daemon.call("GET", f"/v1/jobs/{job_id}").status == 404, "no job is left behind"


def test_a_terminal_needs_no_terminal_of_its_own_without_input(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    script = "test -t 1 && echo terminal; echo error >&2; exit 3"
    done = run(daemon, "run", "--name", job_id, "-t", worker_image, "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"terminal\r\nerror\r\n", b"")
    lines = daemon.log_lines(job_id)[:-1]
    assert [(line["stream"], line["line"]) for line in lines] == [
        ("stdout", "terminal\r"),
        ("stdout", "error\r"),
    ]
    assert run(daemon, "logs", job_id).stdout == done.stdout, "the log of a terminal is one stream"


def test_a_detached_job_waits_for_its_input(daemon: Daemon, worker_image: str, job_id: str) -> None:
    assert run(daemon, "run", "-d", "--name", job_id, "-i", worker_image, "sort").returncode == 0
    done = run(daemon, "attach", job_id, text=b"2\n1\n")
    assert (done.returncode, done.stdout) == (0, b"1\n2\n")
    late = run(daemon, "attach", job_id)
    assert late.returncode == 125
    assert f"the command of job '{job_id}' has ended" in late.stderr.decode()


def test_a_retry_of_a_job_with_input_is_refused(daemon: Daemon, worker_image: str, job_id: str) -> None:
    assert run(daemon, "run", "--name", job_id, "-i", worker_image, "cat").returncode == 0
    done = run(daemon, "retry", job_id)
    assert done.returncode == 6
    assert "read its standard input, which jobd does not keep" in done.stderr.decode()


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


def fed(daemon: Daemon, *arguments: str) -> "subprocess.Popen[bytes]":
    """Starts jobctl with an open pipe for its input."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command_of(daemon, *arguments), bufsize=0, **pipes)


def said(program: "subprocess.Popen[bytes]", text: bytes) -> None:
    """Writes to a program that copies its input, and reads the copy."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(text)
    assert program.stdout.read(len(text)) == text


def test_the_rest_of_an_input_comes_from_another_client(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    first = fed(daemon, "run", "--name", job_id, "-i", worker_image, "sh", "-c", "tee all; sha256sum all")
    said(first, b"one\n")
    first.kill()
    first.communicate(timeout=DEADLINE_S)
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running"

    def attached() -> Any:
        done = run(daemon, "attach", job_id, text=b"two\n")
        return None if b"another client feeds" in done.stderr else done

    done = until(attached, "the first client has left")
    digest = hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert (done.returncode, done.stdout) == (0, f"two\n{digest}  all\n".encode())


def test_a_job_whose_input_a_kill_of_jobd_has_cut_does_not_count_as_completed(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    program = fed(daemon, "run", "--name", job_id, "-i", worker_image, "cat")
    said(program, b"one\n")
    daemon.kill()
    _, err = program.communicate(timeout=DEADLINE_S)
    assert program.returncode == 125
    assert "the connection to jobd broke" in err.decode()
    assert f"jobctl attach {job_id}" in err.decode()
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "input-failed", 0)
    assert "an end that nobody sent" in view["error"]
    assert run(daemon, "logs", job_id).stdout == b"one\n"


def test_an_input_that_had_ended_survives_a_kill_of_jobd(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    script = "cat; touch read; while [ ! -e go ]; do sleep 0.1; done"
    program = fed(daemon, "run", "--name", job_id, "-i", worker_image, "sh", "-c", script)
    said(program, b"one\n")
    assert program.stdin is not None
    program.stdin.close()
    program.stdin = None
    until(
        lambda: run(daemon, "exec", job_id, "test", "-e", "read").returncode == 0,
        "the command has read the end",
    )
    daemon.kill()
    program.communicate(timeout=DEADLINE_S)
    daemon.start()
    assert run(daemon, "exec", job_id, "touch", "go").returncode == 0
    assert daemon.ended(job_id)["status"] == "completed"
