"""`jobctl run -i` in pipes: bytes unchanged in both directions, ends passed on, flat memory, one sentence for what does not go together."""

import hashlib
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.interactive.pipes import command_of, run
from tests.support.daemon import DEADLINE_S, Daemon, until

BLOCK = 1 << 20
SIZE = 100 * BLOCK
MORE_MEMORY_KB = 48 * 1024
"""A buffer without a bound would take a hundred megabytes."""
JOBCTL_MEMORY_KB = 64 * 1024


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
