"""jobd's disk is full or fails: acknowledged work is kept, and jobd continues once the disk has space."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import docker
import pytest

from tests.support.daemon import Answer, Daemon, Receiver, remove_all, until
from tests.support.invariants import check_events, delete, delivered

MB = 1 << 20


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[None]:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=0700", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(path: Path) -> None:
    """Fills the disk."""
    with path.open("ab", buffering=0) as file:
        for size in (64 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


@pytest.mark.fault(
    row="Exhaustion",
    injection="state on an 8 MB tmpfs that is full",
    invariant="507 for new work, nothing acknowledged lost, goes on with room",
)
def test_the_disk_is_full(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"})
    state = daemon.folder / "state"
    with small_disk(state, "size=8m"):
        daemon.start()
        first = f"{job_id}-0"
        daemon.submit(
            id=first,
            image=worker_image,
            command="echo up; while ! test -e go; do sleep 0.1; done; echo down; exit 3",
            callback={"url": receiver.url(f"/{first}")},
        )
        running(daemon, first)
        accepted = [first]
        large = {f"V{n}": "x" * 120_000 for n in range(7)}

        def submit() -> Answer:
            name = f"{job_id}-{len(accepted)}"
            spec = {"id": name, "image": worker_image, "command": "true", "environment": large}
            answer = daemon.call("POST", "/v1/jobs", spec)
            if answer.status == 202:
                accepted.append(name)
            return answer

        answer = until(lambda: (a := submit()).status != 202 and a, "the disk is full")
        assert (answer.status, answer.json["code"]) == (507, "disk-full"), answer.body
        fill(state / "filler")
        assert submit().status == 507
        # The running job ends now; its end cannot be stored.
        docker_client.containers.get(f"job-{first}-worker").exec_run(["touch", "/workspace/go"])
        name = f"job-{first}-worker"
        until(lambda: not docker_client.api.inspect_container(name)["State"]["Running"], "the worker ends")
        for one in accepted:
            assert daemon.call("GET", f"/v1/jobs/{one}").status == 200
        daemon.kill()
        (state / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", state], check=True)
        daemon.start()
        assert daemon.ended(first)["exitCode"] == 3
        check_events(delivered(receiver, f"/{first}"), exit_code=3, status="failed")
        assert [line["line"] for line in daemon.log_lines(first)[:-1]] == ["up", "down"]
        assert submit().status == 202
        for one in accepted[1:]:
            assert daemon.ended(one)["status"] == "completed"
        daemon.stop()
        remove_all(daemon)  # their instance is stored on this disk


@pytest.mark.fault(
    row="Exhaustion",
    injection="the disk fills while a job runs, then there is room again",
    invariant="the job's end is stored late, with the true exit code",
)
def test_the_disk_is_full_for_a_while(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon()
    state = daemon.folder / "state"
    with small_disk(state, "size=8m"):
        daemon.start()
        daemon.submit(
            id=job_id,
            image=worker_image,
            command="i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); test -e go && break; done; exit 4",
            callback={"url": receiver.url(f"/{job_id}"), "events": ["orchestrator.job.complete"]},
        )
        running(daemon, job_id)
        fill(state / "filler")
        docker_client.containers.get(f"job-{job_id}-worker").exec_run(["touch", "/workspace/go"])
        until(
            lambda: daemon.call("POST", "/v1/jobs", {"id": "no-room", "image": "none"}).status == 507,
            "there is no room",
        )
        until(lambda: "jobd tries again" in daemon.log.read_text(), "the job waits for disk space")
        (state / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", state], check=True)
        assert daemon.ended(job_id)["exitCode"] == 4
        lines = [line["line"] for line in daemon.log_lines(job_id)[:-1]]
        assert lines == [str(n) for n in range(len(lines))]
        assert delivered(receiver, f"/{job_id}")[-1]["data"]["exitCode"] == 4
        delete(docker_client, daemon, job_id)
        daemon.stop()
        remove_all(daemon)


def add_log(database: Path, job_id: str, size: int) -> None:
    """Gives an ended job a long log."""
    part = MB // 4
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        (number,) = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
        for n in range(1_000_000, 1_000_000 + size // part):
            connection.execute(
                "INSERT INTO log_chunks (job, first_seq, last_seq, line_count, size_bytes, data) VALUES (?, ?, ?, 1, ?, ?)",
                (number, n, n, part, os.urandom(part)),
            )


@pytest.mark.fault(
    row="Exhaustion",
    injection="a job with an 80 MB log is deleted on a 150 MB disk that is full but for 1 MB",
    invariant="its space is freed; /readyz and 507 report the full disk, and only while it is full",
)
def test_deleting_needs_no_room(make_daemon: Callable[..., Daemon], worker_image: str, job_id: str) -> None:
    daemon = make_daemon(environ={"MAINTENANCE_INTERVAL": "1s"})
    state = daemon.folder / "state"
    with small_disk(state, "size=150m"):
        daemon.start()
        daemon.submit(id=job_id, image=worker_image, command="true")
        assert daemon.ended(job_id)["status"] == "completed"
        daemon.stop()
        add_log(state / "jobd.db", job_id, 80 * MB)
        daemon.start()
        left = shutil.disk_usage(state).free - MB
        os.posix_fallocate((filler := os.open(state / "filler", os.O_CREAT | os.O_WRONLY)), 0, left)
        os.close(filler)
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
        until(lambda: shutil.disk_usage(state).free > 75 * MB, "the log's space is freed")
        assert daemon.call("GET", "/readyz").json["checks"]["disk"] == "healthy"
        fill(state / "filler")
        large = {f"V{n}": "x" * 120_000 for n in range(7)}
        names = (f"{job_id}-{n}" for n in count())

        def submit() -> Answer:
            return daemon.call("POST", "/v1/jobs", {"id": next(names), "image": "none", "environment": large})

        answer = until(lambda: (a := submit()).status != 202 and a, "there is no room")
        assert (answer.status, answer.json["code"]) == (507, "disk-full")
        ready = daemon.call("GET", "/readyz")
        assert ready.status == 503
        assert "jobd refuses new jobs" in ready.json["checks"]["disk"]
        (state / "filler").unlink()
        until(lambda: daemon.call("GET", "/readyz").status == 200, "the disk has room")
        remove_all(daemon)
        daemon.stop()


@pytest.mark.fault(
    row="Exhaustion",
    injection="fsync fails (a loop device whose backing is full)",
    invariant="nothing acknowledged that is not stored; goes on after",
)
def test_fsync_fails(make_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = make_daemon()
    state, backing = daemon.folder / "state", tmp_path / "backing"
    state.mkdir(parents=True)
    with small_disk(backing, "size=12m"):
        image = backing / "image"
        with image.open("wb") as file:
            file.truncate(64 * MB)
        subprocess.run(
            ["mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=1", image], check=True
        )
        subprocess.run(["mount", "-o", "loop,errors=continue", image, state], check=True)
        try:
            daemon.start()
            accepted: list[str] = []

            def submit() -> int:
                # Queued behind an unknown image: only the stored job matters.
                name = f"fsync-{len(accepted)}"
                spec = {"id": name, "image": "none", "pull": "never", "environment": {"V": "x" * 100_000}}
                status = daemon.call("POST", "/v1/jobs", spec, {"Idempotency-Key": "k"}).status
                if status in (200, 202):
                    accepted.append(name)
                return status

            assert submit() == 202
            fill(backing / "filler")
            refused = until(lambda: (s := submit()) >= 500 and s, "the disk refuses")
            assert refused in (500, 503, 507)
            (backing / "filler").unlink()
            until(lambda: submit() in (200, 202), "the disk stores again")
            daemon.kill()
            daemon.start()
            for name in accepted:
                assert daemon.call("GET", f"/v1/jobs/{name}").status == 200, name
            daemon.stop()
        finally:
            subprocess.run(["umount", "--lazy", state], check=True)
