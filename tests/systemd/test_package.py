"""The package for Debian on a machine with systemd and without a network: installed, used, upgraded under a job, removed, purged."""

import json
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from scripts import leftovers
from tests.support.daemon import until
from tests.systemd.host import Host

OF_SYSTEM = (
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/lib/private",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/.pwd.lock",
)
"""What any package and any change of accounts leaves."""


@pytest.fixture(scope="module")
def host(boot: Callable[[], Host], package: Path) -> Host:
    host = boot()
    host.ok("mv", "/etc/jobd/environment", "/root/environment")
    host.ok("rmdir", "/etc/jobd")
    host.copy_in(package, "/root")
    return host


def left(host: Host, before: set[str]) -> set[str]:
    """Returns what was not there before."""
    return {path for path in host.files() - before if not path.startswith(OF_SYSTEM)}


def test_its_whole_life(host: Host, package: Path, docker_client: docker.DockerClient, job_id: str) -> None:
    before = host.files()
    host.ok("dpkg", "-i", f"/root/{package.name}")
    for path in (
        "/usr/lib/sysusers.d/jobd.conf", "/usr/lib/tmpfiles.d/jobd.conf", "/usr/share/man/man1/jobctl.1.gz", "/usr/share/man/man8/jobd.8.gz",
        "/usr/share/man/man5/job.5.gz", "/usr/share/bash-completion/completions/jobctl", "/usr/share/zsh/vendor-completions/_jobctl",
        "/usr/share/fish/vendor_completions.d/jobctl.fish", "/usr/lib/systemd/user/jobd.service", "/usr/lib/systemd/system/jobd.socket",
    ):  # fmt: skip
        host.ok("test", "-f", path)
    assert host.ok("stat", "-c", "%U %a", "/var/lib/jobd").split() == ["jobd", "700"]
    for unit in ("system/jobd.service", "system/jobd.socket", "user/jobd.service"):
        scope = ["--user"] if unit.startswith("user") else []
        verified = host.call(
            "systemd-analyze",
            "--man=no",
            *scope,
            "verify",
            f"/usr/lib/systemd/{unit}",
            XDG_RUNTIME_DIR="/run",
        )
        assert (verified.code, verified.err) == (0, "")
    assert host.ok("jobctl", "--version") == f"jobctl {package.name.split('_')[1].rpartition('-')[0]}\n"
    assert host.property("ActiveState") == "inactive", "nothing starts by itself"

    host.ok("install", "-D", "-m", "0644", "/root/environment", "/etc/jobd/environment")
    installed = host.jobctl("daemon", "install", "--system", user="root")
    assert installed.code == 0, installed.err
    assert host.status("--system")["unit"] == "/usr/lib/systemd/system/jobd.service"
    done = host.jobctl("run", "busybox", "echo", "hello", user="root")
    assert (done.code, done.out) == (0, "hello\n"), done.err

    script = "for n in $(seq 8); do echo $n; sleep 1; done"
    assert host.jobctl("run", "-d", "--name", job_id, "busybox", "sh", "-c", script, user="root").code == 0
    until(lambda: host.jobctl("logs", job_id, user="root").out, "the job runs")
    pid = host.property("MainPID")
    host.ok("dpkg", "-i", f"/root/{package.name}")
    assert host.property("MainPID") != pid, "the new version runs"
    assert host.jobctl("wait", job_id, user="root").code == 0
    view = json.loads(host.jobctl("show", job_id, "--json", user="root").out)["jobs"][0]
    assert view["status"] == "completed"
    # After the purge nothing tells which containers on the engine were of this jobd.
    assert host.jobctl("prune", "--yes", user="root").code == 0
    instance = host.ok("cat", "/var/lib/jobd/instance").strip()
    until(lambda: leftovers.left(docker_client.api, instance) == [], "the containers of its jobs are removed")

    host.ok("rm", "/etc/jobd/environment")
    host.ok("dpkg", "-r", "jobd")
    assert host.call("sh", "-c", "grep -l [b]in/jobd /proc/[0-9]*/cmdline").out == "", "no jobd runs"
    assert all(path.startswith(("/var/lib/jobd", "jobd:")) for path in left(host, before)), left(host, before)
    assert host.call("test", "-f", "/var/lib/jobd/jobd.db").code == 0, "the state stays"
    host.ok("dpkg", "-P", "jobd")
    assert left(host, before) == set()
    assert before - host.files() == set()
