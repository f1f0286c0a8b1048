"""The service of the machine: installed, used by its group alone, socket-activated, restarted under a job, ended by its watchdog, removed."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.daemon import until
from tests.systemd.host import Host

DROP_IN = "/etc/systemd/system/jobd.service.d/test.conf"


@pytest.fixture(scope="module")
def bare(boot: Callable[[], Host], put_program: Callable[[Host, str], None]) -> Host:
    """A machine with the program in /opt, and nothing else of jobd."""
    host = boot()
    put_program(host, "/opt/jobd")
    host.ok("ln", "-s", "/opt/jobd/bin/jobd", "/opt/jobd/bin/jobctl", "/usr/local/bin/")
    return host


@pytest.fixture(scope="module")
def host(bare: Host) -> Iterator[Host]:
    """The machine with the service; after all tests of the file, `uninstall` has removed all of it but the state."""
    before = bare.files()
    said = bare.call("jobctl", "daemon", "install", "--system")
    assert said.code == 0, said.err
    assert "the account jobd was created" in said.err
    bare.ok("usermod", "-aG", "jobd", "ann")
    yield bare
    bare.ok("rm", "-rf", "/etc/systemd/system/jobd.service.d", "/etc/jobd/jobd.toml")
    assert bare.jobctl("daemon", "uninstall", "--system", user="root").code == 0
    left = {
        path
        for path in bare.files() - before
        if not path.startswith(("/var/lib/jobd", "/var/lib/systemd/", "/home/"))
    }
    assert {each.partition(":")[0] for each in left} == {"jobd", "docker"}, "the account, and ann's groups"
    assert bare.call("systemctl", "status", "jobd.service", "jobd.socket").code == 4, "no such unit"


def running_pid(host: Host, other_than: str = "0") -> str:
    """Waits until jobd runs with another pid, and is ready."""

    def pid() -> str:
        found = host.property("MainPID")
        return found if host.property("ActiveState") == "active" and found not in ("0", other_than) else ""

    return str(until(pid, "jobd runs again"))


def long_job(host: Host, job_id: str, seconds: int = 8) -> None:
    """Starts a job that prints a line a second."""
    script = f"for n in $(seq {seconds}); do echo line $n; sleep 1; done; exit 7"
    assert host.jobctl("run", "-d", "--name", job_id, "busybox", "sh", "-c", script).code == 0
    until(lambda: "line 1" in host.jobctl("logs", job_id).out, "the job runs")


def whole(host: Host, job_id: str, seconds: int = 8) -> None:
    """The job ended with its own code, after one attempt, with its whole log."""
    assert host.jobctl("wait", job_id).code == 7
    view = json.loads(host.jobctl("show", job_id, "--json").out)["jobs"][0]
    assert (view["status"], view["exitCode"]) == ("failed", 7)
    assert host.jobctl("logs", job_id).out == "".join(f"line {n}\n" for n in range(1, seconds + 1))
    assert host.jobctl("rm", job_id).code == 0


def test_the_units_have_no_fault(host: Host) -> None:
    for unit in ("jobd.service", "jobd.socket"):
        done = host.call("systemd-analyze", "--man=no", "verify", f"/etc/systemd/system/{unit}")
        assert (done.code, done.err) == (0, "")


def test_it_runs_as_its_account_and_says_so(host: Host) -> None:
    status = host.status("--system")
    assert (status["manager"], status["running"], status["enabled"]) == ("systemd-system", True, True)
    assert status["unit"] == "/etc/systemd/system/jobd.service"
    assert status["address"] == "unix:///run/jobd/jobd.sock"
    assert "jobctl daemon logs --system\n" in host.jobctl("daemon", "status", "--system").out
    assert host.ok("stat", "-c", "%U", f"/proc/{status['pid']}").strip() == "jobd"
    assert host.ok("stat", "-c", "%U %a", "/var/lib/jobd").split() == ["jobd", "700"]
    assert host.ok("stat", "-c", "%G %a", "/run/jobd/jobd.sock").split() == ["jobd", "660"]


def test_members_of_its_group_run_jobs_and_others_do_not(host: Host) -> None:
    done = host.jobctl("run", "busybox", "echo", "hello")
    assert (done.code, done.out) == (0, "hello\n"), done.err
    refused = host.jobctl("ls", user="bob")
    assert refused.code == 5
    assert "usermod -aG jobd" in refused.err


def test_the_socket_starts_jobd_for_the_first_request(host: Host) -> None:
    host.ok("systemctl", "stop", "jobd.service")
    assert host.property("ActiveState") == "inactive"
    assert host.property("ActiveState", unit="jobd.socket") == "active"
    assert host.jobctl("ls").code == 0
    assert host.property("ActiveState") == "active"


def test_stop_also_stops_the_socket(host: Host) -> None:
    assert host.jobctl("daemon", "stop", "--system", user="root").code == 0
    assert host.jobctl("ls").code == 3
    status = host.jobctl("daemon", "status", "--system", user="root")
    assert (status.code, "inactive" in status.out) == (3, True)
    assert host.jobctl("daemon", "start", "--system", user="root").code == 0
    assert host.jobctl("ls").code == 0


def test_a_restart_under_a_running_job_loses_nothing(host: Host, job_id: str) -> None:
    long_job(host, job_id)
    before = running_pid(host)
    assert host.jobctl("daemon", "restart", "--system", user="root").code == 0
    assert running_pid(host, before) != before
    whole(host, job_id)


def test_a_killed_jobd_is_started_again_and_requests_wait_at_the_socket(host: Host, job_id: str) -> None:
    long_job(host, job_id)
    before = running_pid(host)
    host.send("KILL", before)
    assert job_id in host.jobctl("ls", "-aq").out.split(), "the socket holds the request until jobd is back"
    assert running_pid(host, before) != before
    whole(host, job_id)


def test_the_watchdog_ends_and_restarts_a_jobd_that_hangs(host: Host, job_id: str) -> None:
    host.write(DROP_IN, "[Service]\nWatchdogSec=3\nTimeoutAbortSec=1\n")
    host.ok("systemctl", "daemon-reload")
    host.ok("systemctl", "restart", "jobd.service")
    long_job(host, job_id, 12)
    before = running_pid(host)
    host.send("STOP", before)
    after = running_pid(host, before)
    assert after != before
    assert "Watchdog timeout" in host.ok("journalctl", "--no-pager", "--unit=jobd.service")
    whole(host, job_id, 12)
    host.ok("rm", DROP_IN)
    host.ok("systemctl", "daemon-reload")


def test_a_drop_in_admits_mounts_from_home_folders(host: Host, job_id: str) -> None:
    """The engine has the files of another machine, so that it does not find a folder that jobd admits."""
    host.ok("install", "-d", "-o", "ann", "-m", "0700", "/home/ann/data")
    host.ok("install", "-d", "-o", "ann", "-m", "0700", "/srv/data", "/tmp/data")

    def mounted(folder: str) -> str:
        done = host.jobctl(
            "run", "--name", f"{job_id}-{len(names)}", "-v", f"{folder}:/data", "busybox", "true"
        )
        names.append(f"{job_id}-{len(names)}")
        assert done.code in (123, 125), done
        return done.err

    names: list[str] = []
    assert "does not exist: /srv/data" in mounted("/srv/data")
    assert "a drop-in with ProtectHome=read-only shows it" in mounted("/home/ann/data")
    assert "no 'data' in '/tmp'" in mounted("/tmp/data")
    host.write(DROP_IN, "[Service]\nProtectHome=read-only\nPrivateTmp=no\n")
    host.ok("systemctl", "daemon-reload")
    host.ok("systemctl", "restart", "jobd.service")
    host.ok("chmod", "0700", "/home/ann")
    assert "jobd's own account may not look into the folder '/home/ann'" in mounted("/home/ann/data")
    host.ok("chmod", "0711", "/home/ann")
    for folder in ("/home/ann/data", "/tmp/data"):
        assert f"does not exist: {folder}" in mounted(folder)
    host.ok("rm", "-r", DROP_IN, "/home/ann/data", "/srv/data", "/tmp/data")
    host.ok("systemctl", "daemon-reload")
    host.ok("systemctl", "restart", "jobd.service")


def test_reload_takes_new_settings_over_and_refuses_faults(host: Host) -> None:
    pid = running_pid(host)
    host.write("/etc/jobd/jobd.toml", "max_concurrent_jobs = 3\n")
    assert host.jobctl("daemon", "reload", "--system", user="root").code == 0
    until(lambda: '"changed": "MAX_CONCURRENT_JOBS"' in host.journal(), "jobd has read the file")
    assert json.loads(host.jobctl("group", "ls", "--json").out)["limit"] == 3
    host.write("/etc/jobd/jobd.toml", "max_concurrent_jobs = 0\n")
    refused = host.jobctl("daemon", "reload", "--system", user="root")
    assert refused.code == 1
    assert "MAX_CONCURRENT_JOBS: must be a whole number" in refused.err
    assert "/etc/jobd/jobd.toml sets it" in refused.err
    assert host.property("ActiveState") == "active"
    assert json.loads(host.jobctl("group", "ls", "--json").out)["limit"] == 3
    assert running_pid(host) == pid


def test_a_start_with_a_fault_names_it(host: Host) -> None:
    host.write("/etc/jobd/jobd.toml", 'log_level = "loud"\n')
    done = host.jobctl("daemon", "restart", "--system", user="root")
    assert done.code == 1
    assert "LOG_LEVEL: must be debug, info, warning or error" in done.err
    host.ok("rm", "/etc/jobd/jobd.toml")
    assert host.jobctl("daemon", "restart", "--system", user="root").code == 0


def test_installing_again_changes_nothing_and_keeps_foreign_files(host: Host) -> None:
    pid = running_pid(host)
    assert host.jobctl("daemon", "install", "--system", user="root").code == 0
    assert running_pid(host) == pid
    unit = "/etc/systemd/system/jobd.service"
    own = host.ok("cat", unit)
    host.write(unit, "[Service]\nExecStart=/bin/true\n")
    refused = host.jobctl("daemon", "install", "--system", user="root")
    assert (refused.code, f"mv {unit}" in refused.err) == (6, True)
    host.write(unit, own)


def test_only_root_installs_it(host: Host) -> None:
    done = host.jobctl("daemon", "install", "--system")
    assert (done.code, "only root" in done.err) == (5, True)
    stopped = host.jobctl("daemon", "stop", "--system")
    assert stopped.code == 5
    assert host.property("ActiveState") == "active"
