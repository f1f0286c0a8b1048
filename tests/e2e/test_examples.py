"""The examples with a real jobd: the receiver gets what piled up while it was away; an urgent job starts before those that wait."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.daemon import Daemon, until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAM = EXAMPLES / "receiver.py"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_waiting_events_arrive_in_a_batch(
    make_daemon: Callable[..., Daemon],
    worker_image: str,
    job_id: str,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    daemon = make_daemon(
        environ={"DISPATCHER_MAX_BACKOFF": "300ms", "DISPATCHER_BREAKER_COOLDOWN": "300ms"}
    ).start()
    callback = {"url": f"http://127.0.0.1:{port}/events", "key": KEY, "batch": True}
    daemon.submit(id=job_id, image=worker_image, command="echo one; echo two", callback=callback)
    daemon.ended(job_id)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        receiver = subprocess.Popen(
            [sys.executable, "-u", str(PROGRAM)],
            env={**os.environ, "WEBHOOK_KEY": KEY, "PORT": str(port)},
            stdout=stdout,
            stderr=stderr,
        )
        try:
            until(
                lambda: "orchestrator.job.complete" in out.read_text() and " 204" in err.read_text(),
                "the last event arrives",
            )
        finally:
            receiver.terminate()
            receiver.wait(30)
    events = [line.split()[1:3] for line in out.read_text().splitlines()]
    assert [int(number) for number, _ in events] == list(range(1, len(events) + 1))
    assert events[0][1] == "orchestrator.job.start"
    requests = err.read_text().splitlines()
    assert all('"POST /events HTTP/1.1" 204' in line for line in requests)
    assert 0 < len(requests) < len(events)


def test_an_urgent_job_starts_before_those_that_wait(daemon: Daemon, worker_image: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(EXAMPLES / "urgent.sh")],
        env={**os.environ, "PATH": path, "JOBCTL_HOST": f"unix://{daemon.socket}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    group = done.stdout.splitlines()[1].split()[0]
    started = {
        name: daemon.call("GET", f"/v1/jobs/{group}-{name}").json["startedAt"]
        for name in ("1", "urgent", "2", "3", "4")
    }
    assert sorted(started, key=lambda name: started[name]) == list(started)
    assert daemon.call("GET", f"/v1/groups/{group}").status == 404
