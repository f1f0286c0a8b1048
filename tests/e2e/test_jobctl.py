"""jobctl as a program with a real jobd and a real engine: exit codes, streams, signals and files."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobctl.command_table import COMMANDS
from tests.e2e.programs import SLEEPS, STUBBORN, Start, finished, first_line
from tests.support.daemon import DEADLINE_S, Daemon, until

# -- run: codes, streams, files


@pytest.mark.parametrize("code", [0, 7, 121, 255])
def test_run_exits_with_the_jobs_code_and_keeps_the_streams_apart(
    daemon: Daemon, worker_image: str, code: int
) -> None:
    done = daemon.jobctl(
        "run", "--sh", f"echo to out; echo to err >&2; printf last; exit {code}", worker_image
    )
    assert done.returncode == code
    assert done.stdout == "to out\nlast"
    assert done.stderr == "to err\n"


def test_reserved_codes_have_their_reasons(daemon: Daemon, worker_image: str) -> None:
    for arguments, code, words in (
        (["--timeout", "1s", "--sh", SLEEPS, worker_image], 124, "timeout"),
        (["--pull", "never", "no-such-image:1"], 123, "image-not-found"),
        ([worker_image, "no-such-command"], 127, "start-failed"),
        (["--out", "none=.", worker_image, "true"], 122, "has no 'none'"),
        (["-m", "512", worker_image], 125, "needs a unit"),
    ):
        done = daemon.jobctl("run", *arguments)
        assert done.returncode == code
        assert words in done.stderr


def test_inputs_and_outputs_belong_to_the_caller(daemon: Daemon, worker_image: str, tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "words").write_text("b\na\n")
    (tmp_path / "tool.sh").write_text(
        "#!/bin/sh\nsort in/sub/words > out/sorted; cp -r in copy; echo did it\n"
    )
    (tmp_path / "tool.sh").chmod(0o755)
    done = daemon.jobctl(
        "run", "--in", f"in={tmp_path}/data", "--in", f"bin/={tmp_path}/tool.sh", "--write", "out/note=hello",
        "--out", f"out={tmp_path}/result", "--out", f"copy/sub/words={tmp_path}/words", worker_image, "bin/tool.sh",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "did it\n"), done.stderr
    assert (tmp_path / "result" / "sorted").read_text() == "a\nb\n"
    assert (tmp_path / "result" / "note").read_text() == "hello"
    assert (tmp_path / "words").read_text() == "b\na\n"
    assert (tmp_path / "words").stat().st_uid == tmp_path.stat().st_uid
    later = daemon.jobctl("cp", "@last:out/sorted", str(tmp_path / "again"))
    assert later.returncode == 0, later.stderr
    assert (tmp_path / "again").read_text() == "a\nb\n"


# -- signals


def test_ctrl_c_cancels_the_job_and_shows_its_last_lines(
    daemon: Daemon, worker_image: str, job_id: str, start: Start
) -> None:
    program = start("run", "--name", job_id, "--sh", SLEEPS, worker_image)
    assert first_line(program) == "ready"
    program.send_signal(signal.SIGINT)
    code, out, err = finished(program)
    assert code == 130
    assert out == "ending\n"
    assert f"cancelling {job_id}; press Ctrl-C again to kill it" in err
    view = daemon.ended(job_id)
    assert view["status"] == "cancelled"
    assert view["cancelledBy"] == "Ctrl-C in jobctl run"


def test_a_second_ctrl_c_kills_a_job_that_ignores_signals(
    daemon: Daemon, worker_image: str, job_id: str, start: Start
) -> None:
    program = start("run", "--name", job_id, "--sh", STUBBORN, worker_image, stderr=subprocess.PIPE)
    assert first_line(program) == "ready"
    assert program.stderr is not None
    program.send_signal(signal.SIGINT)
    assert b"press Ctrl-C again to kill it" in program.stderr.readline()
    program.send_signal(signal.SIGINT)
    code, _, err = finished(program)
    assert code == 130
    assert f"killing {job_id}" in err
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"]) == ("cancelled", 137)


def test_sigterm_leaves_the_job_running_and_prints_how_to_follow_it(
    daemon: Daemon, worker_image: str, job_id: str, start: Start
) -> None:
    program = start("run", "--name", job_id, "--sh", SLEEPS, worker_image)
    assert first_line(program) == "ready"
    program.send_signal(signal.SIGTERM)
    code, _, err = finished(program)
    assert code == 143
    assert err == f"jobctl: {job_id} keeps running; to follow it again: jobctl logs -f {job_id}\n"
    # The worker's output arrives before jobd has recorded the start, which a loaded machine makes visible.
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] in ("accepted", "running")
    back = start("logs", "-f", job_id)
    assert first_line(back) == "ready"
    cancelled = daemon.jobctl(
        "cancel", "--reason", "enough of it", "--signal", "TERM", "--grace", "30s", job_id
    )
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{job_id}\n")
    assert finished(back)[:2] == (0, "ending\n")
    explained = daemon.jobctl("explain", job_id)
    assert "the job was cancelled by" in explained.stdout
    assert "enough of it" in explained.stdout
    assert daemon.jobctl("wait", job_id).returncode == 121


# -- logs, wait


def test_logs_f_may_start_before_the_job_and_ends_with_it(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, start: Start
) -> None:
    first, second = f"{job_id}-1", f"{job_id}-2"
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    assert daemon.jobctl("submit", "--name", first, "--sh", SLEEPS, worker_image).stdout == f"{first}\n"
    assert daemon.jobctl("submit", "--name", second, worker_image, "echo", "my turn").returncode == 0
    following = start("logs", "-f", second, at=daemon)
    waiting = start("wait", second, first, at=daemon)
    until(
        lambda: daemon.call("GET", f"/v1/jobs/{first}").json.get("phase") == "running", "the first job runs"
    )
    why = daemon.jobctl("explain", second).stdout
    assert "the job is queued" in why
    assert "number 1 in the queue" in why
    top = daemon.jobctl("top")
    assert [line.split()[:2] for line in top.stdout.splitlines()[1:]] == [
        [first, "running"],
        [second, "queued"],
    ]
    assert daemon.jobctl("cancel", first).returncode == 0
    assert finished(following) == (0, "my turn\n", "")
    code, out, _ = finished(waiting)
    assert code == 121
    assert sorted(line.split()[:2] for line in out.splitlines()) == [
        [first, "cancelled"],
        [second, "completed"],
    ]


def test_wait_and_logs_of_an_ended_job_return(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.jobctl("submit", "--name", job_id, "--sh", "echo done; exit 9", worker_image)
    daemon.ended(job_id)
    done = daemon.jobctl("wait", job_id)
    assert (done.returncode, done.stdout) == (9, f"{job_id}  failed  9  exit-code\n")
    assert daemon.jobctl("logs", "-f", job_id).stdout == "done\n"
    assert daemon.jobctl("wait", "--timeout", "1s", job_id[:-1]).returncode == 9, "a prefix will do"
    assert daemon.jobctl("show", "@last", "-o", "name").stdout == f"{job_id}\n"


def test_attempts_are_noted_between_their_logs_and_explained_afterwards(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    script = "echo try; exit 75"
    done = daemon.jobctl(
        "run", "--name", job_id, "--retries", "1", "--retry-on", "75,timeout", "--sh", script, worker_image
    )
    assert (done.returncode, done.stdout) == (75, "try\ntry\n")
    assert f"{job_id}: attempt 1 failed (exit code 75); attempt 2 follows in 1s" in done.stderr
    shown = daemon.jobctl("show", job_id).stdout
    assert re.search(r"Attempts: +1: exit-code, exit code 75", shown)
    assert "attempt 2: exit-code, exit code 75" in daemon.jobctl("explain", job_id).stdout


# -- the daemon away


def test_a_missing_daemon_is_reported_in_one_sentence(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    for command in (["ls"], ["show", "x"], ["logs", "-f", "x"], ["submit", "busybox"], ["events"], ["top"]):
        done = daemon.jobctl(*command)
        assert (done.returncode, done.stdout) == (3, ""), command
        assert done.stderr.count("\n") == 1
        assert f"start it with: jobd --socket {daemon.socket}" in done.stderr
    assert daemon.jobctl("run", "busybox").returncode == 125
    error = json.loads(daemon.jobctl("ls", "--json").stderr)
    assert error["code"] == "daemon-unreachable"


def test_a_restart_of_jobd_loses_no_line_and_no_exit_code(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, start: Start
) -> None:
    daemon = make_daemon().start()
    lines = 60
    script = f"i=1; while [ $i -le {lines} ]; do echo line $i; sleep 0.1; i=$((i+1)); done; exit 5"
    program = start("run", "--name", job_id, "--sh", script, worker_image, at=daemon)
    seen = [first_line(program) for _ in range(5)]
    daemon.kill()
    daemon.start()
    seen += [first_line(program)]
    daemon.stop()
    daemon.start()
    code, out, err = finished(program)
    assert code == 5, err
    assert [*seen, *out.splitlines()] == [f"line {number}" for number in range(1, lines + 1)]
    assert err.count("reconnecting") in (1, 2)


# -- output


@pytest.mark.takes("disk usage")
def test_json_parses_and_streams_are_a_line_an_object(daemon: Daemon, worker_image: str, job_id: str) -> None:
    run = daemon.jobctl("run", "--json", "--name", job_id, worker_image, "echo", "hello")
    frames = [json.loads(line) for line in run.stdout.splitlines()]
    assert frames[0]["id"] == job_id
    assert frames[1]["line"] == "hello"
    assert frames[-1]["end"]["status"] == "completed"
    for command in (
        ["ls", "-a"], ["show", job_id], ["explain", job_id], ["deliveries", job_id], ["version"], ["doctor"],
        ["top"], ["prune", "--dry-run"],
    ):  # fmt: skip
        assert json.loads(daemon.jobctl(*command, "--json").stdout), command
    for stream in (["events", "--job", job_id], ["logs", job_id], ["wait", job_id]):
        done = daemon.jobctl(*stream, "--json")
        assert [json.loads(line) for line in done.stdout.splitlines()], stream
    yaml = daemon.jobctl("show", job_id, "-o", "yaml").stdout
    assert yaml.startswith(f"jobs:\n- id: {job_id}\n")
    error = json.loads(daemon.jobctl("show", "no-such-job", "--json").stderr)
    assert error["code"] == "not-found"


def test_ls_q_goes_into_a_pipe_that_closes_early(daemon: Daemon, worker_image: str) -> None:
    for _ in range(3):
        assert daemon.jobctl("submit", worker_image, "true").returncode == 0
    line = f"set -o pipefail; {sys.executable} -m jobctl --host unix://{daemon.socket} ls -aq | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=DEADLINE_S)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_examples(daemon: Daemon, command: str) -> None:
    done = daemon.jobctl(command, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout


def test_help_lists_all_commands_in_their_order(daemon: Daemon) -> None:
    listed = daemon.jobctl("--help").stdout.partition("Commands:\n")[2]
    assert re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE) == list(COMMANDS)


def test_completion_offers_live_ids(daemon: Daemon, worker_image: str, job_id: str) -> None:
    assert daemon.jobctl("submit", "--name", job_id, worker_image, "true").returncode == 0
    script = (
        f'jobctl() {{ {sys.executable} -m jobctl --host unix://{daemon.socket} "$@"; }}; source <(jobctl completion bash); '
        f"COMP_WORDS=(jobctl logs {job_id[:-2]}); COMP_CWORD=2; _jobctl; "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.stdout == f"{job_id}\n", done.stderr


def test_prune_removes_ended_jobs_for_good(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    over, runs = f"{job_id}-over", f"{job_id}-runs"
    daemon = make_daemon().start()
    assert daemon.jobctl("run", "--name", over, worker_image, "true").returncode == 0
    assert daemon.jobctl("submit", "--name", runs, "--sh", SLEEPS, worker_image).returncode == 0
    assert daemon.jobctl("prune", "--older-than", "1h", "-f").stdout == ""
    assert daemon.jobctl("prune", "-f").stdout == f"{over}\n"
    assert daemon.jobctl("ls", "-aq").stdout == f"{runs}\n"
    assert daemon.jobctl("rm", "-f", runs).stdout == f"{runs}\n"
