"""jobd is killed at random times while a set of three stages runs: the jobs end as without kills, and each ran once."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.starts import Starts

STAGE, KILLS = 20, 8


def document(image: str) -> str:
    """20 jobs, of which each fifth fails; 20 that each wait for one of those; 20 that each wait for one of the second stage."""
    lines = ["jobs:"]
    for n in range(STAGE):
        code = 3 if n % 5 == 4 else 0
        lines += [
            f'  a{n}: {{image: "{image}", command: "sleep 0.{n % 4}; exit {code}"}}',
            f'  b{n}: {{image: "{image}", command: "true", after: [a{n}]}}',
            f'  c{n}: {{image: "{image}", command: "true", after: ["b{n}:any", b{(n + 1) % STAGE}]}}',
        ]
    return "\n".join(lines)


@pytest.mark.fault(
    row="Crash",
    injection=f"kill -9 at {KILLS} random moments during a set of {3 * STAGE} jobs in three stages",
    invariant="the same ends as without kills; each worker started once",
)
@pytest.mark.alone
def test_random_kills_during_a_set(
    make_daemon: Callable[..., Daemon], starts: Starts, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(1 << 32))
    print(f"FAULT_SEED={seed} repeats this run")
    times = random.Random(seed)
    (tmp_path / "set.yaml").write_text(document(worker_image))
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "4"}).start()
    submitted = daemon.jobctl("submit", "-f", f"{tmp_path}/set.yaml", "--set", job_id)
    assert (submitted.returncode, submitted.stdout) == (0, f"{job_id}\n"), submitted.stderr
    for _ in range(KILLS):
        time.sleep(times.uniform(0.05, 2.0))
        daemon.kill()
        daemon.start()
    until(lambda: "finishedAt" in daemon.call("GET", f"/v1/sets/{job_id}").json, "the set has ended")
    ends: dict[str, tuple[str, int | None]] = {}
    for n in range(STAGE):
        ends[f"a{n}"] = ("failed", 3) if n % 5 == 4 else ("completed", 0)
        ends[f"b{n}"] = ("cancelled", None) if n % 5 == 4 else ("completed", 0)
        ends[f"c{n}"] = ("cancelled", None) if (n + 1) % STAGE % 5 == 4 else ("completed", 0)
    jobs = daemon.call("GET", f"/v1/jobs?set={job_id}&limit=1000").json["jobs"]
    found = {job["id"].removeprefix(f"{job_id}-"): (job["status"], job.get("exitCode")) for job in jobs}
    assert found == ends
    starts.settle(f"mark-{job_id}")
    counts = {name: starts.count(f"{job_id}-{name}") for name in ends}
    assert counts == {name: int(status != "cancelled") for name, (status, _) in ends.items()}
