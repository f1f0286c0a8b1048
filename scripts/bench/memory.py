"""P9: jobd's resident memory: idle, with 10,000 kept jobs after all of them were listed, and during two log floods.

The floods are two `jobctl run` at once, so that jobd stores both logs and sends both to a reader. The figure of a flood is the peak.
"""

import subprocess
import time
from collections.abc import Iterator
from urllib.parse import quote

from scripts.bench.logs import printing
from scripts.bench.pairs import Budget, Result
from scripts.bench.support.job_runs import IMAGE, JOBCTL, JobRuns
from scripts.bench.support.kept_jobs import keep_jobs
from scripts.bench.support.processes import resident_mb
from scripts.bench.support.progress import begin
from scripts.daemon import Daemon

KEPT, PAGE = 10_000, 1000
FLOODS, LINES = 2, 300_000
FLOOD_S = 240
SETTLE_S, SAMPLES = 2.0, 5

IDLE = Budget("P9-idle", "jobd's resident memory, idle", bound=80, unit="MB")
KEPT_JOBS = Budget("P9-kept", f"the same with {KEPT:,} kept jobs, listed once", bound=120, unit="MB")
IN_FLOODS = Budget("P9-floods", f"the same, peak during {FLOODS} log floods", bound=160, unit="MB")
BUDGETS = (IDLE, KEPT_JOBS, IN_FLOODS)


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the wanted measurements."""
    if wanted & {IDLE.name, IN_FLOODS.name}:
        with Daemon() as jobd:
            if IDLE.name in wanted:
                begin(IDLE)
                yield Result(IDLE, _at_rest(jobd))
            if IN_FLOODS.name in wanted:
                begin(IN_FLOODS)
                yield Result(IN_FLOODS, [_peak_in_floods(jobd)], note=f"{LINES:,} lines each")
    if KEPT_JOBS.name in wanted:
        begin(KEPT_JOBS)
        with Daemon(prepare=lambda state: keep_jobs(state, KEPT)) as jobd:
            _list_all(jobd)
            yield Result(KEPT_JOBS, _at_rest(jobd))


def _at_rest(jobd: Daemon) -> list[float]:
    samples = []
    for _ in range(SAMPLES):
        time.sleep(SETTLE_S / SAMPLES)
        samples.append(resident_mb(jobd.process.pid))
    return samples


def _list_all(jobd: Daemon) -> None:
    cursor, seen = "", 0
    while seen < KEPT:
        page = jobd.request("GET", f"/v1/jobs?limit={PAGE}{cursor}")[1]
        seen += len(page["jobs"])
        cursor = f"&cursor={quote(page.get('next') or '')}"


def _peak_in_floods(jobd: Daemon) -> float:
    command = printing(LINES)["command"]
    assert isinstance(command, list)
    floods = [
        subprocess.Popen(
            [JOBCTL, "--host", jobd.url, "run", IMAGE, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(FLOODS)
    ]
    peak, deadline = 0.0, time.monotonic() + FLOOD_S
    try:
        while any(flood.poll() is None for flood in floods):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the floods did not end within {FLOOD_S} s")
            peak = max(peak, resident_mb(jobd.process.pid))
            time.sleep(0.01)
    finally:
        for flood in floods:
            flood.kill()
            flood.wait()
    if any(flood.returncode for flood in floods):
        raise RuntimeError(f"a flood ended with {[flood.returncode for flood in floods]}")
    runs = JobRuns(jobd)
    runs.adopt("busybox")
    runs.sweep()
    return peak
