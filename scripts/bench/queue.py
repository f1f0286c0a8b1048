"""P12: a long queue: 10,000 waiting jobs in 50 groups, of which 1,000 wait for other jobs.

A decision is measured in this process, on jobd's own scheduler: a job ends, and the scheduler looks for jobs that may start. The figure
is the 99th percentile, in processor time: a busy machine makes no decision slower. The other rows run a jobd whose store has the queue.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobd.jobs.admission.scheduling.groups import GroupSettings
from jobd.jobs.admission.scheduling.resources import Machine, demand_of
from jobd.jobs.admission.scheduling.scheduler import Scheduler
from scripts.bench.pairs import Budget, Result, measure
from scripts.bench.support.load import posts_per_s
from scripts.bench.support.processes import cpu_s, resident_mb
from scripts.bench.support.progress import begin
from scripts.bench.support.waiting_jobs import GROUP_LIMIT, group_name, keep_waiting, waiting_jobs
from scripts.daemon import Daemon

JOBS, GROUPS, DEPENDENT = 10_000, 50, 1000
MACHINE = Machine(places=32, millicpus=8000, memory_mb=24_000)
"""A machine whose memory and cores run out before its places: a decision looks at many jobs."""
ROUNDS, DECISIONS = 5, 1000
POSTS, CONNECTIONS = 500, 8
STARTS = 5
SETTLE_S, SAMPLES = 2.0, 5
SETTINGS = {"MAX_QUEUED_JOBS": "1000000"}

DECISION = Budget("P12-decision", f"the 99th percentile of decisions, {JOBS:,} waiting jobs", bound=1)
START = Budget("P12-start", f"jobd from its start to ready, {JOBS:,} waiting jobs", bound=3000)
MEMORY = Budget("P12-memory", f"jobd's resident memory, {JOBS:,} waiting jobs", bound=120, unit="MB")
SUBMIT = Budget(
    "P12-submit",
    f"POST /v1/jobs, {CONNECTIONS} at a time, {JOBS:,} waiting jobs",
    "the same with an empty queue",
    0.8,
    "at-least",
    "jobs/s",
)
BUDGETS = (DECISION, START, MEMORY, SUBMIT)


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the wanted measurements."""
    if DECISION.name in wanted:
        begin(DECISION)
        yield Result(
            DECISION, [decision_ms() for _ in range(ROUNDS)], note=f"{DECISIONS:,} decisions a round"
        )
    if wanted & {START.name, MEMORY.name, SUBMIT.name}:
        with _stored_queue() as state:
            if START.name in wanted:
                begin(START)
                starts = [_start_ms(state) for _ in range(STARTS)]
                used_s = statistics.median(cpu for _, cpu in starts)
                yield Result(START, [wall for wall, _ in starts], note=f"processor time {used_s:.2f} s")
            if wanted & {MEMORY.name, SUBMIT.name}:
                with Daemon(SETTINGS, prepare=_copy_of(state)) as jobd:
                    if MEMORY.name in wanted:
                        begin(MEMORY)
                        yield Result(MEMORY, _at_rest(jobd))
                    if SUBMIT.name in wanted:
                        begin(SUBMIT)
                        yield _submissions(jobd)


def decision_ms(jobs: int = JOBS, groups: int = GROUPS, dependent: int = DEPENDENT) -> float:
    """Returns the 99th percentile of one end of a running job and one search for the next job, in milliseconds."""
    scheduler = Scheduler(MACHINE)
    for number in range(0, groups, 2):
        scheduler.set_group(group_name(number), GroupSettings(GROUP_LIMIT))
    for record, _ in waiting_jobs(jobs, groups, dependent):
        what = record.scheduling
        demand = demand_of(what.cpu, what.memory_mb, what.gpus)
        scheduler.add(record.uid, what.group, what.priority, record.ticket, demand)
        scheduler.block(record.uid, [one.uid for one in what.after])
    running: deque[str] = deque()
    samples: list[float] = []
    while len(samples) < DECISIONS:
        began = time.thread_time()
        if running:
            scheduler.release(running.popleft())
        start = scheduler.start_next()
        samples.append((time.thread_time() - began) * 1000)
        while start is not None:
            running.append(start.uid)
            began = time.thread_time()
            start = scheduler.start_next()
            samples.append((time.thread_time() - began) * 1000)
        if not running:
            break  # all jobs that are not blocked have run
    return sorted(samples)[int(len(samples) * 0.99)]


@contextmanager
def _stored_queue() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jobd-queue-") as folder:
        state = Path(folder) / "state"
        keep_waiting(state, JOBS, GROUPS, DEPENDENT)
        yield state


def _copy_of(state: Path) -> Callable[[Path], None]:
    def copy(target: Path) -> None:
        shutil.copytree(state, target)

    return copy


def _start_ms(state: Path) -> tuple[float, float]:
    """Returns the milliseconds until jobd has responded that it is ready and that all jobs wait, and jobd's processor time in seconds."""
    began = 0.0

    def prepare(target: Path) -> None:
        nonlocal began
        shutil.copytree(state, target)
        began = time.perf_counter()

    with Daemon(SETTINGS, prepare=prepare) as jobd:
        view = jobd.request("GET", "/v1/queue")[1]
        took_ms = (time.perf_counter() - began) * 1000
        if view["waiting"] != JOBS:
            raise RuntimeError(f"{view['waiting']} of {JOBS} jobs wait")
        return took_ms, cpu_s(jobd.process.pid)


def _at_rest(jobd: Daemon) -> list[float]:
    samples = []
    for _ in range(SAMPLES):
        time.sleep(SETTLE_S / SAMPLES)
        samples.append(resident_mb(jobd.process.pid))
    return samples


def _submissions(full: Daemon) -> Result:
    """Submits jobs to both daemons, whose queues are paused."""
    with Daemon(SETTINGS) as empty:
        empty.request("POST", "/v1/queue/pause")
        ours, theirs = _rate(full), _rate(empty)
        ours(), theirs()  # warms both up
        return measure(SUBMIT, ours, theirs, 5, 30)


def _rate(jobd: Daemon) -> Callable[[], float]:
    rounds = iter(range(1_000_000))

    def rate() -> float:
        number = next(rounds)
        specs = [
            {
                "id": f"posted-{number}-{index}",
                "image": "busybox:latest",
                "command": ["true"],
                "group": group_name(index % GROUPS),
            }
            for index in range(POSTS)
        ]
        return asyncio.run(posts_per_s(jobd.socket, "/v1/jobs", specs, CONNECTIONS))

    return rate
