"""The disk flips bytes, and the clock is wrong for a while: at most one job becomes unreadable, and no data is removed."""

import shutil
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import docker
import pytest

from tests.support.daemon import FAILPOINTS, Daemon, Receiver, until
from tests.support.invariants import check_events, delete, delivered, left_of

DAY_S = 86400


def runs(daemon: Daemon, job_id: str) -> bool:
    return bool(daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running")


def noticed(daemon: Daemon, times: int) -> bool:
    return daemon.log.read_text().count("the wall clock was set") == times


def flip(database: Path, table: str, column: str, job_id: str) -> None:
    """Changes one byte in the middle of a job's stored column."""
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER IF EXISTS jobs_go_forward")
        (number,) = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
        which = f"{'n' if table == 'jobs' else 'job'} = {number}"
        (data,) = connection.execute(f"SELECT {column} FROM {table} WHERE {which}").fetchone()
        bad = bytearray(data)
        bad[len(bad) // 2] ^= 0x80
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {which}", (bytes(bad),))


@pytest.mark.fault(
    row="Disk",
    injection="one byte of a running job's record or spec is flipped while jobd is down",
    invariant="the job is shown as unreadable and stays until it is deleted; all others continue",
)
@pytest.mark.parametrize(("table", "column"), [("jobs", "record"), ("specs", "spec")])
def test_a_flipped_byte(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    table: str,
    column: str,
) -> None:
    daemon = make_daemon(environ={"MAINTENANCE_INTERVAL": "1s"}).start()
    bad, good = f"{job_id}-bad", f"{job_id}-good"
    daemon.submit(
        id=bad, image=worker_image, command="echo x; sleep 600", callback={"url": receiver.url(f"/{bad}")}
    )
    daemon.submit(
        id=good,
        image=worker_image,
        command="while ! test -e go; do sleep 0.1; done; exit 3",
        callback={"url": receiver.url(f"/{good}")},
    )
    for name in (bad, good):
        until(partial(runs, daemon, name), f"{name} runs")
    until(lambda: receiver.events(f"/{bad}"), "the start event arrives")
    daemon.kill()
    flip(daemon.folder / "state" / "jobd.db", table, column, bad)
    daemon.start()
    assert "a job cannot be read" in daemon.log.read_text()
    listed = {job["id"]: job for job in daemon.call("GET", "/v1/jobs").json["jobs"]}
    assert (listed[bad]["status"], listed[good]["status"]) == ("unreadable", "running")
    assert f"job-{bad}-worker" in listed[bad]["error"]
    assert [j["id"] for j in daemon.call("GET", "/v1/jobs?status=unreadable").json["jobs"]] == [bad]
    assert daemon.jobctl("show", bad).stdout.count("unreadable")
    assert "all other jobs go on" in daemon.jobctl("explain", bad).stdout
    assert daemon.jobctl("wait", bad).returncode == 125
    assert daemon.call("GET", f"/v1/jobs/{bad}/logs").status == 409
    assert daemon.call("GET", f"/v1/events?job={bad}").status == 200
    docker_client.containers.get(f"job-{good}-worker").exec_run(["touch", "/workspace/go"])
    assert daemon.ended(good)["exitCode"] == 3
    check_events(delivered(receiver, f"/{good}"), exit_code=3, status="failed")
    until(lambda: daemon.call("GET", "/readyz").status == 200, "jobd is ready")
    assert docker_client.containers.get(f"job-{bad}-worker").status == "running"
    assert daemon.jobctl("rm", bad).returncode == 0
    assert daemon.call("GET", f"/v1/jobs/{bad}").status == 404
    until(lambda: not left_of(docker_client, daemon, bad), "the containers and the volume are removed")
    delete(docker_client, daemon, good)


@pytest.mark.fault(
    row="Disk",
    injection="one byte of the write-ahead log is flipped after kill -9",
    invariant="jobd starts, and says in its log, in /v1/version and by doctor that commits are missing",
)
@pytest.mark.takes("disk usage")
def test_a_flipped_byte_in_the_log_file(make_daemon: Callable[..., Daemon], job_id: str) -> None:
    daemon = make_daemon().start()
    names = [f"{job_id}-{n}" for n in range(20)]
    for name in names:
        daemon.submit(id=name, image="none", pull="never")
    daemon.kill()
    database = daemon.folder / "state" / "jobd.db"
    wal, index = (database.with_name(f"jobd.db-{end}") for end in ("wal", "shm"))
    committed = int.from_bytes(index.read_bytes()[16:20], sys.byteorder)
    data = bytearray(wal.read_bytes())
    data[32 + (committed - 5) * 4120 + 100] ^= 1
    wal.write_bytes(data)
    daemon.start()
    assert "the database's log is damaged" in daemon.log.read_text()
    (warning,) = daemon.call("GET", "/v1/version").json["warnings"]
    assert f"damaged at frame {committed - 4}" in warning
    (copy,) = wal.parent.glob("jobd.db-wal.damaged-*")
    assert copy.read_bytes() == bytes(data)
    said = daemon.jobctl("doctor")
    assert said.returncode != 0
    assert "damaged at frame" in said.stdout
    assert daemon.call("GET", f"/v1/jobs/{names[0]}").status == 200
    daemon.stop()
    copy.unlink()
    daemon.start()
    assert "warnings" not in daemon.call("GET", "/v1/version").json


@pytest.mark.fault(
    row="Disk",
    injection="kill -9 while jobs are submitted, again and again",
    invariant="the remaining log file is not damaged",
)
def test_a_kill_is_no_damage(make_daemon: Callable[..., Daemon], job_id: str) -> None:
    daemon = make_daemon()
    for turn in range(4):
        daemon.start()
        assert "warnings" not in daemon.call("GET", "/v1/version").json
        for n in range(5 + 3 * turn):
            daemon.submit(id=f"{job_id}-{turn}-{n}", image="none", pull="never")
        daemon.kill()
    daemon.start()
    assert "damaged" not in daemon.log.read_text()


@pytest.mark.fault(
    row="Exhaustion",
    injection="the wall clock is 8 days ahead for 8 rounds of maintenance, then right again",
    invariant="no record, log or container is removed",
)
def test_the_clock_is_wrong_for_a_while(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    tmp_path: Path,
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    daemon = make_daemon(
        environ={
            "JOBD_FAILPOINT_CLOCK": str(offset),
            "MAINTENANCE_INTERVAL": "250ms",
            "JOBD_LOG_LEVEL": "info",
        },
        module=FAILPOINTS,
    ).start()
    daemon.submit(id=job_id, image=worker_image, command="echo kept")
    assert daemon.ended(job_id)["status"] == "completed"
    for days, said in ((8, 1), (0, 2)):
        temporary = offset.with_name("next")
        temporary.write_text(str(days * DAY_S))
        shutil.move(temporary, offset)
        until(partial(noticed, daemon, said), "jobd logs the clock's step")
        last = f"{job_id}-{days}"
        daemon.submit(id=last, image=worker_image, command="sleep 2")
        assert daemon.ended(last)["status"] == "completed"
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["kept"]
    assert len(left_of(docker_client, daemon, job_id)) == 2
    for name in (job_id, f"{job_id}-0", f"{job_id}-8"):
        delete(docker_client, daemon, name)
