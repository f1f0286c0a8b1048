"""What a job prints is what jobctl prints, byte for byte, each stream on its own and at once: in a run, and later from the log."""

import gzip
import hashlib
import json
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until

RANDOM = "head -c 1000000 /dev/urandom > f; sha256sum f >&2; cat f"
SPEAKS = "printf 'zero\\0one'; printf '\\377\\376err' >&2; printf '\\r\\033[1mtwo'"

SHOWN_WITHIN_S = 20.0
"""Far longer than it takes, and far shorter than the jobs that wait to be seen."""

Jobctl = Callable[..., "subprocess.CompletedProcess[bytes]"]
Start = Callable[..., "subprocess.Popen[bytes]"]


def command_of(daemon: Daemon, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", *arguments]


@pytest.fixture
def jobctl(daemon: Daemon) -> Jobctl:
    def call(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(command_of(daemon, *arguments), capture_output=True, timeout=2 * DEADLINE_S)

    return call


@pytest.fixture
def start(daemon: Daemon) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> "subprocess.Popen[bytes]":
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command_of(daemon, *arguments), bufsize=0, **pipes))
        return started[-1]

    yield begin
    for program in started:
        program.kill()
        program.communicate(timeout=DEADLINE_S)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_until(program: "subprocess.Popen[bytes]", wanted: bytes) -> bytes:
    """Reads stdout up to these bytes."""
    assert program.stdout is not None
    found = b""
    watch = threading.Timer(SHOWN_WITHIN_S, program.kill)
    watch.start()
    try:
        while not found.endswith(wanted):
            byte = program.stdout.read(1)
            assert byte, f"ended after {found!r}"
            found += byte
    finally:
        watch.cancel()
    return found


def test_random_bytes_are_the_same_in_a_run_and_in_the_log(
    jobctl: Jobctl, worker_image: str, job_id: str
) -> None:
    for command in (
        ["run", "--name", job_id, "--sh", RANDOM, worker_image],
        ["logs", job_id],
        ["logs", "-f", job_id],
    ):
        done = jobctl(*command)
        assert done.returncode == 0
        assert len(done.stdout) == 1_000_000
        assert sha256(done.stdout) == done.stderr.split()[0].decode()


@pytest.mark.parametrize(
    ("command", "out", "err"),
    [
        (SPEAKS, b"zero\0one\r\x1b[1mtwo", b"\xff\xfeerr"),
        ("true", b"", b""),
        ("printf 'a\\n'; printf b >&2", b"a\n", b"b"),
        ("printf '\\n'", b"\n", b""),
        ("printf 'a\\r\\nb\\r'", b"a\r\nb\r", b""),
        ("head -c 100000 /dev/zero", bytes(100_000), b""),
        ("head -c 100000 /dev/zero; echo; echo >&2", bytes(100_000) + b"\n", b"\n"),
        ("head -c 32768 /dev/zero; echo", bytes(32768) + b"\n", b""),
        ("head -c 32768 /dev/zero", bytes(32768), b""),
        ("head -c 20000 /dev/zero; echo; echo; head -c 20000 /dev/zero; echo; printf x", bytes(20_000) + b"\n\n" + bytes(20_000) + b"\nx", b""),
    ],
)  # fmt: skip
def test_nothing_is_added_changed_or_left_out(
    jobctl: Jobctl, worker_image: str, job_id: str, command: str, out: bytes, err: bytes
) -> None:
    for arguments in (
        ["run", "--name", job_id, "--sh", command, worker_image],
        ["logs", job_id],
        ["logs", "-f", job_id],
    ):
        done = jobctl(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, out, err)


def test_a_single_stream_is_printed_unchanged(jobctl: Jobctl, worker_image: str, job_id: str) -> None:
    jobctl("run", "--name", job_id, "--sh", SPEAKS, worker_image)
    assert jobctl("logs", "--stream", "stderr", job_id).stderr == b"\xff\xfeerr"
    assert jobctl("logs", "--stream", "stdout", job_id).stdout == b"zero\0one\r\x1b[1mtwo"


def test_a_tar_passes_through_a_pipe(daemon: Daemon, worker_image: str) -> None:
    run = shlex.join(command_of(daemon, "run", worker_image, "gzip", "-c", "/etc/group"))
    done = subprocess.run(["sh", "-c", f"{run} | gunzip"], capture_output=True, timeout=2 * DEADLINE_S)
    plain = subprocess.run(
        command_of(daemon, "run", worker_image, "cat", "/etc/group"), capture_output=True, timeout=DEADLINE_S
    )
    assert (done.stdout, done.stderr) == (plain.stdout, b"")
    assert plain.stdout


def test_a_file_saved_through_stdout_is_whole(jobctl: Jobctl, worker_image: str) -> None:
    done = jobctl("run", "--sh", "head -c 300000 /dev/zero | gzip -c", worker_image)
    assert gzip.decompress(done.stdout) == bytes(300_000)


@pytest.mark.parametrize("way", ["run", "logs"])
def test_progress_without_a_newline_shows_before_its_newline(
    daemon: Daemon, start: Start, worker_image: str, job_id: str, way: str
) -> None:
    command = "printf 'first\\n10%%\\r20%%\\r'; while [ ! -e go ]; do sleep 0.1; done; printf '30%%\\nlast'"
    arguments = ["--name", job_id, "--sh", f"trap 'touch go' TERM; {command}", worker_image]
    if way == "run":
        program = start("run", *arguments)
    else:
        assert subprocess.run(command_of(daemon, "submit", *arguments), capture_output=True).returncode == 0
        program = start("logs", "-f", job_id)
    assert read_until(program, b"20%\r") == b"first\n10%\r20%\r"
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {}).status == 202
    rest, _ = program.communicate(timeout=DEADLINE_S)
    assert rest == b"30%\nlast"


@pytest.mark.parametrize(
    "makes", ["head -c 200000 /dev/urandom", "head -c 150000 /dev/urandom | base64 | tr -d '\\n'"]
)
def test_a_killed_daemon_loses_and_doubles_no_byte(
    daemon: Daemon, start: Start, jobctl: Jobctl, worker_image: str, job_id: str, makes: str
) -> None:
    command = (
        f"trap 'touch go' TERM; {makes} > f; i=0; while [ $i -lt 25 ]; do tail -c +$((i * 4000 + 1)) f | head -c 4000;"
        " i=$((i + 1)); sleep 0.05; done; while [ ! -e go ]; do sleep 0.1; done; tail -c +100001 f; sha256sum f >&2"
    )
    program = start("run", "--name", job_id, "--sh", command, worker_image)
    assert program.stdout is not None
    taken = b""
    for _ in range(3):
        taken += program.stdout.read(1)
        daemon.kill()
        daemon.start()
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 30}).status == 202
    rest, err = program.communicate(timeout=DEADLINE_S)
    (said,) = [line for line in err.split(b"\n") if line.endswith(b"  f")]
    assert sha256(taken + rest) == said.split()[0].decode()
    again = jobctl("logs", job_id)
    assert (again.stdout, again.stderr) == (taken + rest, said + b"\n")


def test_the_lines_of_the_json_form_are_text_and_bytes(
    daemon: Daemon, jobctl: Jobctl, worker_image: str, job_id: str
) -> None:
    done = jobctl("run", "--name", job_id, "--sh", "printf 'text\\n\\377\\nend'", worker_image)
    assert done.returncode == 0
    lines = [json.loads(line) for line in jobctl("logs", "--json", job_id).stdout.splitlines()][:-1]
    shown = [(line["line"], line.get("raw"), line.get("unterminated", False)) for line in lines]
    assert shown == [("text", None, False), ("�", "/w==", False), ("end", None, True)]


def test_events_contain_lines_of_text(daemon: Daemon, receiver: Any, worker_image: str, job_id: str) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "printf 'a\\n\\377b\\nend'"}
    daemon.submit(**spec, callback={"url": receiver.url("/bytes")})
    lines = [
        line
        for event in receiver.complete("/bytes")
        if event["type"] == "orchestrator.job.log"
        for line in event["data"]["lines"]
    ]
    assert lines == ["a", "�b", "end"]


def test_output_before_ctrl_c_is_printed_once(
    daemon: Daemon, start: Start, worker_image: str, job_id: str
) -> None:
    command = "trap 'printf bye; exit 0' TERM; printf 'working'; while true; do sleep 0.1; done"
    program = start("run", "--name", job_id, "--sh", command, worker_image)
    read_until(program, b"working")
    program.send_signal(signal.SIGINT)
    rest, _ = program.communicate(timeout=DEADLINE_S)
    assert rest == b"bye"
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "done", "the job is done")


def test_a_pipe_with_missing_output_is_an_error(
    make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    daemon = make_daemon(environ={"LOG_MAX_BYTES": "1000000"}).start()
    command = command_of(daemon, "run", "--sh", "seq 1 20000", worker_image)  # the engine keeps all of it
    done = subprocess.run(command, capture_output=True, timeout=2 * DEADLINE_S)
    assert done.returncode == 122
    assert done.stdout.startswith(b"1\n2\n3\n")
    assert b"the log is full at 1000000 bytes" in done.stderr
    assert b"--out PATH=-" in done.stderr
    whole = command_of(daemon, "run", "--sh", "seq 1 400000 > f", "--out", "f=-", worker_image)
    assert subprocess.check_output(whole, timeout=2 * DEADLINE_S).endswith(b"\n400000\n")
