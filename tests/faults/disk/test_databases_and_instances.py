"""A second daemon, a second instance, and a damaged database: jobd refuses or leaves them alone."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.invariants import delete


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


def worker_state(client: docker.DockerClient, job_id: str) -> dict[str, Any]:
    state: dict[str, Any] = client.api.inspect_container(f"job-{job_id}-worker")["State"]
    return state


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash",
    injection="a second daemon on the same state",
    invariant="refuses, the first is not disturbed",
)
def test_a_second_daemon_refuses(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    first = make_daemon().start()
    assert first.process is not None
    second = subprocess.run(
        [
            *(sys.executable, "-m", "jobd", "--no-auth", "--port", "0", "--metrics-port", "0"),
            *("--socket", str(tmp_path / "other.sock"), "--state-dir", str(first.folder / "state")),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert second.returncode == 2
    assert f"in use by process {first.process.pid}" in second.stderr
    assert first.call("GET", "/readyz").status == 200
    assert first.socket.exists()


@pytest.mark.fault(
    row="Crash",
    injection="two instances on one engine, one dies",
    invariant="neither touches the other's jobs",
)
def test_another_instances_jobs_are_left_alone(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    one, other = make_daemon().start(), make_daemon().start()
    one.submit(id=job_id, image=worker_image, command="sleep 600")
    running(one, job_id)
    other.submit(id=job_id, image=worker_image, command="true")
    refused = other.ended(job_id)
    assert (refused["status"], refused["reason"]) == ("failed", "refused-by-engine")
    assert f"job-{job_id}-worker" in refused["error"] or f"job-{job_id}-workspace" in refused["error"]
    assert other.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    one.kill()
    other.stop()
    other.start()
    until(lambda: other.call("GET", f"/v1/jobs/{job_id}").status == 404, "the other daemon's job is removed")
    other.submit(id=f"{job_id}-2", image=worker_image, command="true")
    other.ended(f"{job_id}-2")
    assert worker_state(docker_client, job_id)["Running"]
    one.start()
    assert one.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running"
    delete(docker_client, one, job_id)


@pytest.mark.parametrize(
    "damage", [pytest.param("cut short", marks=pytest.mark.fast), "overwritten", "empty header"]
)
@pytest.mark.fault(
    row="Crash", injection="damaged database", invariant="refused with a reason, the file is kept"
)
def test_a_damaged_database_is_refused_and_kept(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, damage: str, tmp_path: Path
) -> None:
    daemon = make_daemon().start()
    daemon.submit(id=job_id, image=worker_image, command="true")
    daemon.ended(job_id)
    daemon.stop()
    path = daemon.folder / "state" / "jobd.db"
    assert not list(path.parent.glob("jobd.db-*")), "after an end all data is in one file"
    shutil.copy(path, tmp_path / "whole.db")
    whole = path.read_bytes()
    damaged = {
        "cut short": whole[: len(whole) // 2],
        "overwritten": whole[:4096] + b"\xa5" * 8192 + whole[12288:],
        "empty header": b"\0" * 100 + whole[100:],
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(pytest.fail.Exception, match="jobd ended with 1"):
        daemon.start()
    assert path.read_bytes() == damaged
    assert "cannot be used" in daemon.log.read_text()
    for beside in path.parent.glob("jobd.db-*"):
        beside.unlink()  # SQLite creates them to read the file
    shutil.copy(tmp_path / "whole.db", path)
    daemon.start()
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "completed"
