"""The real engine's errors for jobs that cannot run, and for all jobs while its disk is full."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.second_engine import SecondEngine

LONG = "a" * 300
RUNTIME_WORDS = (
    "OCI runtime",
    "runc ",
    "shim task",
    "/overlay2/",
    "unable to start container process",
    ": unknown",
)
REFUSED, FAILED = "refused-by-engine", "start-failed"
FILE = {"id": "r", "type": "read", "in": "x", "depends": "job"}

JOBS: dict[str, tuple[dict[str, Any], str, str]] = {
    "workspace is a file": ({"workspace": "/etc/passwd"}, REFUSED, "the workspace '/etc/passwd' cannot be a folder"),
    "workspace below a file": ({"workspace": "/etc/passwd/x"}, REFUSED, "cannot be a folder"),
    "workspace is a file, read-only": ({"workspace": "/etc/passwd", "readOnly": True}, REFUSED, "cannot be a folder"),
    "workspace is a file, beside a sidecar": ({"workspace": "/etc/passwd", "artifacts": [FILE]}, REFUSED, "cannot be a folder"),
    "workspace too long": ({"workspace": f"/{LONG}"}, REFUSED, "longer than 255 bytes"),
    "unknown user": ({"user": "nosuch"}, REFUSED, "no user 'nosuch'"),
    "user out of range": ({"user": "4294967295"}, FAILED, "out of the engine's range"),
    "no such entrypoint": ({"entrypoint": ["/nope"]}, FAILED, 'the command "/nope" does not exist in the image'),
    "entrypoint is a folder": ({"entrypoint": ["/etc"]}, FAILED, 'the command "/etc" is not executable'),
    "entrypoint below a file": ({"entrypoint": ["/etc/passwd/x"]}, FAILED, "does not exist in the image"),
    "entrypoint too long": ({"entrypoint": [f"/{LONG}"]}, FAILED, "too long"),
    "unknown runtime": ({"runtime": "nope"}, REFUSED, "Unknown runtime"),
    "no such platform": ({"platform": "linux/arm64", "pull": "never"}, "image-not-found", "linux/arm64"),
    "no such image": ({"image": "nope:1", "pull": "never"}, "image-not-found", "not on this machine"),
}  # fmt: skip


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="jobs that the engine can never create or start, more than may run at once",
    invariant="each fails at once with a clear error, and keeps no place",
)
def test_a_job_that_can_never_run_fails_at_once_and_keeps_no_place(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "2"}).start()
    ids = {}
    for number, (name, (fields, _, _)) in enumerate(JOBS.items()):
        spec = {"image": worker_image, **fields}
        if "entrypoint" not in fields:
            spec["command"] = ["true"]
        ids[name] = daemon.submit(id=f"{job_id}-{number}", **spec)
    for name, (_, reason, words) in JOBS.items():
        view = daemon.ended(ids[name])
        assert (name, view["status"], view["reason"]) == (name, "failed", reason)
        assert words in view["error"], name
        assert not [word for word in RUNTIME_WORDS if word in view["error"]], name
        assert len(view["error"]) < 700
    explanation = daemon.jobctl("explain", ids["workspace is a file"]).stdout
    assert "the engine refused to create the container" in explanation
    assert "choose another path for the workspace" in explanation
    daemon.submit(id=job_id, image=worker_image, command=["true"])
    assert daemon.ended(job_id)["status"] == "completed"


@pytest.mark.fast
@pytest.mark.fault(
    row="Exhaustion",
    injection="the engine's disk is full when jobd creates a container, for longer than the limit; kill -9 of jobd meanwhile",
    invariant="jobd retries, shows the error, then fails the job; the time counts over the restart",
)
def test_a_full_disk_of_the_engine_fails_the_job_after_a_limit(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str
) -> None:
    daemon = behind_proxy(environ={"ENGINE_ERROR_LIMIT": "4s"}).start()
    full = proxy.on(r"POST .*/containers/create", "full", None)
    daemon.submit(id=job_id, image=worker_image, command=["true"])

    def waiting() -> str:
        return str(daemon.call("GET", f"/v1/jobs/{job_id}").json.get("waitingFor") or "")

    until(lambda: waiting().startswith("another try: the engine's disk is full"), "it says what it waits for")
    assert "answers with a temporary error" in daemon.jobctl("explain", job_id).stdout
    daemon.kill()
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "engine-error")
    assert "the engine's disk is full" in view["error"]

    full.lifted.set()
    proxy.on(r"POST .*/containers/create", "full", 2)
    proxy.on(r"POST .*/containers/\w+/start", "full", 1)
    daemon.submit(id=f"{job_id}-2", image=worker_image, command=["true"])
    assert daemon.ended(f"{job_id}-2")["status"] == "completed", "a transient error leaves no trace"


@pytest.fixture
def small(docker_client: docker.DockerClient, worker_image: str) -> Iterator[SecondEngine]:
    """An engine whose disk is small enough to be filled."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
        pytest.skip("a second engine needs root, dockerd and ip on this machine")
    engine = SecondEngine()
    try:
        (engine.folder / "data").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(engine.folder / "data")]
        subprocess.run(mount, check=True)
        engine.start()
        engine.load(docker_client, worker_image)
        yield engine
    finally:
        engine.close()


def fill(disk: Path) -> Path:
    """Fills the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


@pytest.mark.fault(
    row="Exhaustion",
    injection="the disk of a real engine is full",
    invariant="a job waits and shows why; it runs once the disk has room, or fails with that error after the limit",
)
@pytest.mark.alone
def test_the_disk_of_a_real_engine_is_full(
    make_daemon: Callable[..., Daemon], small: SecondEngine, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"DOCKER_HOST": small.url, "ENGINE_ERROR_LIMIT": "20s"}).start()
    daemon.submit(id=job_id, image=worker_image, command=["true"])
    assert daemon.ended(job_id)["status"] == "completed"

    def waits(each: str) -> bool:
        waiting = daemon.call("GET", f"/v1/jobs/{each}").json.get("waitingFor") or ""
        return str(waiting).startswith("another try: the engine's disk is full")

    filler = fill(small.folder / "data")
    daemon.submit(id=f"{job_id}-waits", image=worker_image, command=["true"])
    until(lambda: waits(f"{job_id}-waits"), "it says what it waits for")
    filler.unlink()
    assert daemon.ended(f"{job_id}-waits")["status"] == "completed"
    filler = fill(small.folder / "data")
    daemon.submit(id=f"{job_id}-fails", image=worker_image, command=["true"])
    view = daemon.ended(f"{job_id}-fails")
    assert (view["status"], view["reason"]) == ("failed", "engine-error")
    assert "the engine's disk is full" in view["error"]
    filler.unlink()
    daemon.stop()
