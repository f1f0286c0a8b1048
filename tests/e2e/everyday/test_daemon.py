"""What a day does to the daemon: a job that can never run, closed streams, and a kill before a clean-up and an end."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docker

from tests.support.daemon import DEADLINE_S, Daemon, until


def test_an_invalid_workspace_is_reported_once(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--name", job_id, "-w", "/etc/passwd", worker_image, "true")
    assert done.returncode == 123
    assert "the workspace '/etc/passwd' cannot be a folder" in done.stderr
    explained = daemon.jobctl("explain", job_id).stdout
    assert "the engine refused to create the container" in explained
    assert "pull" not in explained


def test_nine_jobs_that_cannot_run_block_no_other_job(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "2"}).start()
    for number in range(9):
        daemon.submit(id=f"{job_id}-{number}", image=worker_image, workspace="/etc/passwd/x", command="true")
    assert daemon.jobctl("run", worker_image, "true").returncode == 0


def test_a_daemon_runs_with_closed_streams(tmp_path: Path) -> None:
    """No file and no connection of jobd gets the number of such a stream."""
    socket = tmp_path / "s"
    command = 'exec "$0" -m jobd --no-auth --socket "$1" --state-dir "$2" <&- >&- 2>&-'
    program = subprocess.Popen(
        ["sh", "-c", command, sys.executable, str(socket), str(tmp_path / "state")],
        env={
            **os.environ,
            "PORT": "0",
            "METRICS_PORT": "0",
            "SHUTDOWN_DRAIN_WAIT": "0s",
            "SANDBOX_POOL": "off",
        },
    )
    try:
        until(lambda: socket.exists() or program.poll() is not None, "jobd listens")
        assert program.poll() is None
        assert [str(Path(f"/proc/{program.pid}/fd/{n}").readlink()) for n in range(3)] == [os.devnull] * 3
    finally:
        program.terminate()
        assert program.wait(DEADLINE_S) == 0


def test_a_daemon_that_was_killed_leaves_nothing_when_it_ends(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    # A forked jobd starts before the engine has ended what it does for the killed one.
    daemon = make_daemon(is_executed=True).start()
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    daemon.submit(id=job_id, image=worker_image, command="trap 'exit 0' TERM; sleep 600 & wait")
    daemon.kill()
    daemon.start()
    assert daemon.jobctl("rm", "-f", job_id).returncode == 0
    assert daemon.stop() == 0
    ours: dict[str, str | list[str] | bool] = {"label": f"job.instance={instance}"}
    assert docker_client.api.containers(all=True, filters=ours) == []
    assert docker_client.networks.list(filters=ours) == []
