"""The service of a user: installed from the user's own folder, started with the machine where the user lingers, removed."""

from collections.abc import Callable

import pytest

from tests.support.daemon import until
from tests.systemd.host import USERS, Host


@pytest.fixture(scope="module")
def host(boot: Callable[[], Host], put_program: Callable[[Host, str], None]) -> Host:
    host = boot()
    put_program(host, "/home/ann/.local")
    host.ok("chown", "-R", "ann:ann", "/home/ann/.local")
    return host


def test_without_a_systemd_of_the_user_install_says_what_to_do(host: Host) -> None:
    done = host.jobctl("daemon", "install")
    assert (done.code, "loginctl enable-linger" in done.err) == (6, True)


def test_install_run_reload_and_uninstall(host: Host) -> None:
    host.ok("loginctl", "enable-linger", "ann")
    until(
        lambda: host.call("test", "-S", f"/run/user/{USERS['ann']}/systemd/private").code == 0,
        "ann's systemd runs",
    )
    before = host.files()
    installed = host.jobctl("daemon", "install")
    assert installed.code == 0, installed.err
    assert "starts with the machine" in installed.err
    status = host.status(user="ann")
    assert (status["manager"], status["running"], status["enabled"], status["lingers"]) == (
        "systemd-user",
        True,
        True,
        True,
    )
    assert status["address"] == f"unix:///run/user/{USERS['ann']}/jobd/jobd.sock"
    done = host.jobctl("run", "busybox", "echo", "hello")
    assert (done.code, done.out) == (0, "hello\n"), done.err
    assert "jobd is ready" in host.jobctl("daemon", "logs").out

    host.write("/home/ann/.config/jobd/jobd.toml", "max_concurrent_jobs = 0\n", user="ann")
    refused = host.jobctl("daemon", "reload")
    assert (refused.code, "MAX_CONCURRENT_JOBS" in refused.err) == (1, True)
    host.write("/home/ann/.config/jobd/jobd.toml", "max_concurrent_jobs = 5\n", user="ann")
    assert host.jobctl("daemon", "reload").code == 0
    until(
        lambda: '"changed": "MAX_CONCURRENT_JOBS"' in host.jobctl("daemon", "logs").out,
        "jobd has read the file",
    )

    assert host.jobctl("daemon", "stop").code == 0
    assert host.jobctl("ls").code == 3
    assert host.jobctl("daemon", "start").code == 0
    assert host.jobctl("daemon", "restart").code == 0
    assert host.jobctl("ls").code == 0

    # As after a boot: ann's systemd starts again without a login of hers.
    host.ok("systemctl", "restart", f"user@{USERS['ann']}.service")
    until(lambda: host.jobctl("ls").code == 0, "jobd runs again without a login")

    assert host.jobctl("daemon", "uninstall").code == 0
    assert host.jobctl("daemon", "status").code == 3
    host.ok("rm", "/home/ann/.config/jobd/jobd.toml")
    left = {path for path in host.files() - before if not path.startswith("/home/ann/.local/state")}
    assert {path for path in left if "jobd" in path or "/home" in path} == set()


def test_without_a_service_a_background_process_runs(host: Host) -> None:
    started = host.jobctl("daemon", "start")
    assert started.code == 0, started.err
    assert "in the background" in started.err
    status = host.status(user="ann")
    assert (status["manager"], status["running"]) == ("process", True)
    refused = host.jobctl("daemon", "install")
    assert (refused.code, "jobctl daemon stop" in refused.err) == (6, True)
    assert host.jobctl("daemon", "stop").code == 0
