"""jobd as a background process: started once, found again, ended in order, and never another process by a reused pid."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobctl.daemon import background
from jobctl.daemon.process import Identity, PidFile, identity_of
from tests.integration.jobctl.daemon.conftest import Home
from tests.support.daemon import DEADLINE_S, until


def test_start_status_and_stop(home: Home) -> None:
    stopped = home.jobctl("daemon", "status", "--json")
    assert (stopped.returncode, json.loads(stopped.stdout)["state"]) == (3, "not running")
    started = home.jobctl("daemon", "start")
    assert started.returncode == 0, started.stderr
    assert started.stderr == f"jobctl: jobd runs in the background (pid {home.pid()})\n"
    status = json.loads(home.jobctl("daemon", "status", "--json").stdout)
    assert (status["manager"], status["running"], status["pid"]) == ("process", True, home.pid())
    assert status["address"] == f"unix://{home.folder}/jobd/jobd.sock"
    assert status["log"] == str(home.state / "jobd.log")
    assert home.jobctl("ls").returncode == 0
    pid = home.pid()
    again = home.jobctl("daemon", "start")
    assert (again.returncode, again.stderr) == (
        0,
        f"jobctl: jobd runs already, in the background (pid {pid})\n",
    )
    assert home.jobctl("daemon", "stop").returncode == 0
    assert identity_of(pid) is None
    assert not home.pid_file.exists()
    assert '"stopped"' in (home.state / "jobd.log").read_text(), "it ended in order"
    assert home.jobctl("daemon", "status").returncode == 3
    assert home.jobctl("daemon", "stop").returncode == 0


def test_the_process_is_detached(home: Home) -> None:
    """Jobd has a session, a folder and a umask of its own, and none of the caller's descriptors."""
    reader, writer = os.pipe()
    try:
        os.set_inheritable(writer, True)
        assert home.jobctl("daemon", "start", pass_fds=[writer]).returncode == 0
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"", "no process holds the writing end"
    pid = home.pid()
    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == os.devnull
    assert {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in (1, 2)} == {
        str(home.state / "jobd.log")
    }
    assert home.state.stat().st_mode & 0o777 == 0o700
    assert home.pid_file.stat().st_mode & 0o777 == 0o600


def test_a_reused_pid_is_never_ended(home: Home) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            true = identity_of(other.pid)
            assert true is not None
            home.state.mkdir(parents=True, mode=0o700)
            for wrong in (
                Identity(true.pid, true.started - 1, true.boot),
                Identity(true.pid, true.started, "of-an-earlier-boot"),
            ):
                PidFile(str(home.pid_file)).write(wrong)
                assert home.jobctl("daemon", "status").returncode == 3
                done = home.jobctl("daemon", "stop")
                assert (done.returncode, done.stderr) == (0, "jobctl: jobd does not run in the background\n")
                assert other.poll() is None
        finally:
            other.kill()


@pytest.mark.parametrize(
    "content", ["", "abc", "1\n2\n", "-1\n0\nx\n", "0\n0\nx\n", "999999999\n1\nx\n", "x" * 4096]
)
def test_a_damaged_pid_file_names_no_process(home: Home, content: str) -> None:
    home.state.mkdir(parents=True, mode=0o700)
    home.pid_file.write_text(content)
    assert home.jobctl("daemon", "status").returncode == 3
    assert home.jobctl("daemon", "stop").returncode == 0


def test_a_killed_jobctl_leaves_a_jobd_that_is_found(home: Home) -> None:
    with subprocess.Popen(
        home.command("daemon", "start"), env=home.environ, stderr=subprocess.DEVNULL
    ) as starter:
        until(home.pid_file.exists, "the new process has written its pid file")
        starter.kill()
    until(lambda: home.jobctl("ls").returncode == 0, "jobd is ready")
    assert json.loads(home.jobctl("daemon", "status", "--json").stdout)["pid"] == home.pid()
    assert home.jobctl("daemon", "start").returncode == 0
    assert home.jobctl("daemon", "stop").returncode == 0
    assert home.jobctl("daemon", "status").returncode == 3


def test_several_starts_at_once_start_one_jobd(home: Home) -> None:
    starters = [
        subprocess.Popen(home.command("daemon", "start"), env=home.environ, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [starter.communicate(timeout=DEADLINE_S * 2)[1] for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert sorted("already" in each for each in said) == [False, True, True]
    assert all(f"(pid {home.pid()})" in each for each in said)


def test_a_fault_of_the_settings_is_told(home: Home) -> None:
    home.environ |= {"MAX_CPUS": "many", "LOG_LEVEL": "loud"}
    done = home.jobctl("daemon", "start")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "jobctl: jobd did not start (exit code 2): MAX_CPUS: must be a number of cores"
    )
    assert "LOG_LEVEL: must be debug, info, warning or error" in done.stderr
    assert "jobctl daemon logs" in done.stderr
    assert not home.pid_file.exists()


def test_a_jobd_that_was_started_by_hand_is_no_process_of_jobctl(home: Home) -> None:
    with (home.folder / "log").open("wb") as log:
        other = subprocess.Popen([sys.executable, "-m", "jobd"], env=home.environ, stderr=log)
    try:
        until(lambda: home.jobctl("ls").returncode == 0, "jobd is ready")
        status = home.jobctl("daemon", "status", "--json")
        assert status.returncode == 3
        assert "address" in json.loads(status.stdout)
        done = home.jobctl("daemon", "start")
        assert done.returncode == 1
        assert f"is in use by process {other.pid}" in done.stderr
        assert home.jobctl("daemon", "stop").returncode == 0
        assert other.poll() is None
    finally:
        other.terminate()
        other.wait(DEADLINE_S)


def test_a_jobd_that_does_not_end_is_ended_by_force(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.jobctl("daemon", "start").returncode == 0
    pid = home.pid()
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(background, "STOP_S", 0.1)
    assert home.background().stop() == ["jobd is stopped; jobs that run go on without it"]
    assert identity_of(pid) is None


def test_logs_and_reload(home: Home) -> None:
    config = home.folder / "config" / "jobd"
    config.mkdir(parents=True)
    (config / "jobd.toml").write_text("max_concurrent_jobs = 2\n")
    assert home.jobctl("daemon", "start").returncode == 0
    logs = home.jobctl("daemon", "logs")
    assert logs.stdout == (home.state / "jobd.log").read_text()
    assert home.jobctl("daemon", "logs", "--tail", "1").stdout == logs.stdout.splitlines(keepends=True)[-1]
    assert home.jobctl("daemon", "logs", "--tail", "0").stdout == ""
    (config / "jobd.toml").write_text("max_concurrent_jobs = 3\nlog_max_bytes = 4096\n")
    done = home.jobctl("daemon", "reload")
    assert done.returncode == 0
    assert "new values: MAX_CONCURRENT_JOBS; a restart is needed for LOG_MAX_BYTES" in done.stderr
    (config / "jobd.toml").write_text("max_concurrent_jobs = none\n")
    done = home.jobctl("daemon", "reload")
    assert done.returncode == 1
    assert "jobd keeps its settings: config file" in done.stderr
    (config / "jobd.toml").write_text("log_max_bytes = 4096\n")
    before = home.pid()
    assert home.jobctl("daemon", "restart").returncode == 0
    assert home.pid() != before
    uninstalled = home.jobctl("daemon", "uninstall")
    assert (uninstalled.returncode, home.jobctl("daemon", "status").returncode) == (0, 3)
    assert f"jobd's state stays in {home.state}" in uninstalled.stderr


def test_a_followed_log_goes_on_over_a_rotation(home: Home) -> None:
    home.state.mkdir(parents=True, mode=0o700)
    log = home.state / "jobd.log"
    log.write_text("one\ntwo\n")
    with subprocess.Popen(
        home.command("daemon", "logs", "-f", "--tail", "1"), env=home.environ, stdout=subprocess.PIPE
    ) as follower:
        assert follower.stdout is not None
        try:
            assert follower.stdout.readline() == b"two\n"
            with log.open("a") as file:
                file.write("three\n")
            assert follower.stdout.readline() == b"three\n"
            log.rename(home.state / "jobd.log.1")
            with (home.state / "jobd.log.1").open("a") as file:
                file.write("four\n")
            log.write_text("five\n")
            assert [follower.stdout.readline() for _ in range(2)] == [b"four\n", b"five\n"]
        finally:
            follower.send_signal(signal.SIGINT)
    assert follower.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["strat"], "jobctl daemon has no action 'strat'", "did you mean: jobctl daemon start"),
        (["stpo"], "jobctl daemon has no action 'stpo'", "did you mean: jobctl daemon stop"),
        (["remove"], "jobctl daemon has no action 'remove'", "use one of status"),
        (["status", "-f"], "--follow belongs to jobctl daemon logs", "jobctl daemon logs -f"),
        (["start", "--tail", "3"], "--tail belongs to jobctl daemon logs", "jobctl daemon logs -f"),
        (["logs", "--json"], "jobctl daemon logs prints jobd's log as it is", "jobctl daemon logs"),
    ],
)
def test_a_wrong_call_changes_nothing(home: Home, arguments: list[str], message: str, hint: str) -> None:
    done = home.jobctl("daemon", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert hint in done.stderr
    assert not home.state.exists()


def test_install_without_systemd_says_what_to_do(home: Home) -> None:
    done = home.jobctl("daemon", "install")
    assert done.returncode == 6
    assert "no systemd runs" in done.stderr
    assert not (home.folder / "config").exists()
