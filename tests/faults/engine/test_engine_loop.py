"""dockerd is killed and stopped repeatedly while fifty jobs run: each job starts once and ends once, and no object remains."""

import io
import json
import os
import random
import signal
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.second_engine import SecondEngine
from tests.support.invariants import check_events, delivered
from tests.support.wire import multipart

pytestmark = pytest.mark.alone

JOBS, RESTARTS, AT_ONCE = 50, 6, 6
ARTIFACTS, FILES, SECRET = (0, 3, 6), (3, 7), 9
"""A job's extra fields, by the last digit of its number."""
OBEDIENT, OBEYED = (1, 2, 3, 4), 77
"""The exit code of workers on SIGTERM, which these tests never send."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
SLACK = timedelta(seconds=2)
"""A worker's run may differ from its record by this much: jobd observes the start and the end later."""

Span = tuple[datetime, datetime]


def tar_of(name: str, data: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def wanted(n: int, name: str, image: str, receiver: Receiver) -> dict[str, Any]:
    """Returns job `n`, which has its own exit code and counts its runs in its workspace."""
    sleep, code = f"sleep {n % 5 * 0.4:g}", n % 4
    if n % 10 in OBEDIENT:
        sleep = f"trap 'exit {OBEYED}' TERM; {sleep} & wait $!"
    spec: dict[str, Any] = {
        "id": name,
        "image": image,
        "command": f"echo run >> runs; echo begin {n}; {sleep}; echo end {n}; exit {code}",
        "callback": {"url": receiver.url(f"/{name}")},
    }
    if n % 10 in ARTIFACTS:
        spec["artifacts"] = [
            {"id": "w", "type": "write", "in": "hello", "out": "in.txt"},
            {"id": "r", "type": "read", "in": "runs", "depends": "job", "when": "always"},
        ]
    if n % 10 == SECRET:
        spec["secrets"] = {"S": "hidden"}
    return spec


def submit(daemon: Daemon, n: int, spec: dict[str, Any]) -> None:
    body = json.dumps(spec).encode()
    headers: dict[str, str] = {}
    if n % 10 in FILES:
        body, headers = multipart(("spec", body), ("files", tar_of("data", b"x" * 100_000)))
    answer = daemon.call("POST", "/v1/jobs", body, headers)
    assert answer.status == 202, answer.body


def hit(view: dict[str, Any], away: list[Span]) -> bool:
    """True if the engine was down during the job's run."""
    began, ended = (
        datetime.fromisoformat(view[name])
        for name in ("startedAt" if "startedAt" in view else "createdAt", "finishedAt")
    )
    return any(began - SLACK < to and fro < ended + SLACK for fro, to in away)


@pytest.mark.fault(
    row="Engine",
    injection=f"dockerd killed and stopped {RESTARTS} times while {JOBS} jobs run",
    invariant="one start, exit, complete each, true codes or lost, no leftovers",
)
@pytest.mark.parametrize("live_restore", [False, True], ids=["plain", "live-restore"])
def test_restarts_of_the_engine(
    make_daemon: Callable[..., Daemon],
    second: SecondEngine,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    live_restore: bool,
) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(1 << 32))
    print(f"FAULT_SEED={seed} repeats this run")
    moments = random.Random(seed)
    second.live_restore = live_restore
    second.restart(signal.SIGTERM)
    engine = second.client()
    before = {volume["Name"] for volume in engine.api.volumes()["Volumes"] or []}
    daemon = make_daemon(
        environ={"DOCKER_HOST": second.url, "MAX_CONCURRENT_JOBS": str(AT_ONCE), "JOB_RETENTION": "1h"}
    ).start()
    names = [f"{job_id}-{n}" for n in range(JOBS)]
    for n in range(JOBS):
        submit(daemon, n, wanted(n, names[n], worker_image, receiver))

    away: list[Span] = []
    for turn in range(RESTARTS):
        number = SIGNALS[turn % len(SIGNALS)]
        # The test needs random times; jobd reconnects to a restarted engine within a second.
        time.sleep(moments.uniform(0.3, 3.0) + (number == signal.SIGTERM))
        fro = datetime.now(UTC)
        second.signal(number)
        second.ended()
        assert daemon.call("GET", f"/v1/jobs/{names[-1]}").status == 200
        time.sleep(moments.uniform(0.0, 1.0))
        second.start()
        away.append((fro, datetime.now(UTC)))

    views = [daemon.ended(name, deadline_s=120) for name in names]
    for n, view in enumerate(views):
        check(daemon, receiver, second, engine, n, view, away)
    lost = sum(view.get("reason") == "lost" for view in views)
    struck = sum(hit(view, away) for view in views)
    print(f"{lost} lost, {struck} of {JOBS} ran while the engine was away")
    assert lost <= struck
    delete_all(daemon, names)
    if live_restore:
        # Until its next start dockerd counts the mounts of containers that ended while it was down, and keeps volumes of secrets.
        second.live_restore = False
        second.restart(signal.SIGTERM)
    nothing_is_left(daemon, engine, before)
    engine.close()


def check(
    daemon: Daemon,
    receiver: Receiver,
    second: SecondEngine,
    engine: docker.DockerClient,
    n: int,
    view: dict[str, Any],
    away: list[Span],
) -> None:
    events = delivered(receiver, f"/{view['id']}")
    frames = daemon.log_lines(view["id"])[:-1]
    runs = second.in_volume(f"job-{view['id']}-workspace", "runs")
    times = runs.read_text().count("run") if runs.exists() else 0
    assert times == 1 or (times == 0 and view.get("reason") == "lost"), (
        f"how often the worker ran, by its own count: {times}, {view}, {away}"
    )
    # dockerd may lose a worker's output while dockerd is down; jobd must not lose a line that dockerd has.
    try:
        kept = engine.api.logs(f"job-{view['id']}-worker").decode().splitlines()
        assert [frame["line"] for frame in frames] == kept, "the engine's log"
        assert kept == [f"begin {n}", f"end {n}"] or hit(view, away)
    except docker.errors.NotFound:
        # dockerd was killed while it started the worker: jobd has removed what may have run.
        assert (view.get("reason"), "startedAt" in view) == ("lost", False), (view, away)
        assert frames[-1].get("gap"), frames
    if view.get("reason") == "lost":
        assert view.get("exitCode") is None
        assert hit(view, away), "lost although the engine was up"
        check_events(events, exit_code=-1, status="failed", started="startedAt" in view)
        return
    assert view["exitCode"] == n % 4, view
    check_events(events, exit_code=n % 4, status=view["status"])
    reads = [event["data"] for event in events if event["data"].get("artifactId") == "r"]
    if view.get("reason") == "output-failed":
        assert hit(view, away), f"the sidecar died although the engine was up: {view}, {away}"
    else:
        assert (view["status"], view.get("reason")) == (
            ("failed", "exit-code") if n % 4 else ("completed", None)
        )
        if n % 10 in ARTIFACTS and not hit(view, away):
            got = [(read["status"], read.get("content")) for read in reads]
            assert got == [("success", "run\n")], (view, reads, away)


def delete_all(daemon: Daemon, names: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        gone = list(pool.map(lambda name: daemon.call("DELETE", f"/v1/jobs/{name}").status, names))
    assert set(gone) == {204}


def nothing_is_left(daemon: Daemon, engine: docker.DockerClient, before: set[str]) -> None:
    state = daemon.folder / "state"
    ours: Any = {"label": [f"job.instance={(state / 'instance').read_text().strip()}", "job.id"]}

    def left() -> list[str]:
        volumes = {volume["Name"] for volume in engine.api.volumes()["Volumes"] or []}
        containers = [one["Names"][0] for one in engine.api.containers(all=True, filters=ours)]
        files = [path.name for folder in ("spool", "secrets") for path in (state / folder).iterdir()]
        return [*containers, *(volumes - before), *files]

    try:
        until(lambda: not left(), "all objects are removed", 90)
    except pytest.fail.Exception:
        pytest.fail(f"left: {left()}\n{daemon.log.read_text()[-4000:]}")
    assert daemon.stop() == 0
    assert engine.api.networks(filters=ours) == []
