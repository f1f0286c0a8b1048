"""How long jobd's event loop keeps its callbacks waiting: the 99.9th percentile under the load of P2 and under the load of P4.

A jobd with a probe (`programs/probed_jobd.py`) runs the load; the delays are read after its end. The percentile is over time: a callback
that becomes due at any moment of the load waits longer with a probability of one in a thousand.
"""

import math
import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from scripts.bench.deliveries import KEY, Receiver
from scripts.bench.jobs import AT_ONCE, JOBS
from scripts.bench.pairs import Budget, Result
from scripts.bench.programs.probed_jobd import INTERVAL_S, VARIABLE
from scripts.bench.support.job_runs import TRUE, JobRuns
from scripts.bench.support.kept_jobs import keep_undelivered
from scripts.bench.support.progress import begin
from scripts.daemon import Daemon

SENDING_JOBS, EVENTS = 200, 300
RUNS = 2
PROBED = "scripts.bench.programs.probed_jobd"
DELIVERED_S = 120
PERCENTILE = 0.999

IN_JOBS = Budget("lag-P2", f"event loop of jobd, p99.9 delay, {JOBS} jobs, {AT_ONCE} at a time", bound=50)
IN_DELIVERIES = Budget(
    "lag-P4", f"event loop of jobd, p99.9 delay, {SENDING_JOBS * EVENTS:,} events", bound=50
)
BUDGETS = (IN_JOBS, IN_DELIVERIES)

Delay = tuple[float, float]
"""When a timer was due, and how many seconds later it ran."""
Sample = tuple[float, float, float]
"""The same, and how many seconds of processor time jobd used meanwhile."""
Measured = tuple[list[Sample], float, float]
"""The samples, and the begin and end of the load."""


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the wanted measurements."""
    for budget, once in ((IN_JOBS, _in_jobs), (IN_DELIVERIES, _in_deliveries)):
        if budget.name in wanted:
            begin(budget)
            result, longest, own = Result(budget), 0.0, 0.0
            for _ in range(RUNS):
                with tempfile.TemporaryDirectory() as folder:
                    samples, *load = once(Path(folder) / "delays")
                waits = waits_of([(due, delay) for due, delay, _ in samples], *load)
                result.ours.append(percentile(waits, PERCENTILE) * 1000)
                longest = max(longest, *waits)
                own = max(own, percentile(waits_of(own_delays(samples), *load), PERCENTILE))
            result.note = f"longest {longest * 1000:.0f} ms; p99.9 as far as jobd ran {own * 1000:.1f} ms"
            yield result


def waits_of(delays: Iterable[Delay], began: float, ended: float) -> list[float]:
    """Returns the waits of callbacks that become due every INTERVAL_S from `began` to `ended`. Pure.

    A blocked loop delays one timer, and would delay each callback that becomes due meanwhile: a delay of 20 ms stands for waits of 20, 15,
    10 and 5 ms.
    """
    waits: list[float] = []
    for due, delay in delays:
        if began <= due <= ended:
            waits.append(delay)
            waits += [delay - INTERVAL_S * later for later in range(1, math.ceil(delay / INTERVAL_S))]
    return waits


def own_delays(samples: Iterable[Sample]) -> list[Delay]:
    """Returns the delays as far as jobd used a processor meanwhile: by a long callback, by a collection of garbage, or by a thread that
    holds the interpreter. In the rest of a delay the kernel ran others. Pure.
    """
    return [(due, min(delay, used)) for due, delay, used in samples]


def percentile(values: Iterable[float], share: float) -> float:
    """Returns the smallest value that at least this share of the values does not exceed. Pure."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _in_jobs(file: Path) -> Measured:
    with Daemon({"MAX_CONCURRENT_JOBS": str(AT_ONCE), VARIABLE: str(file)}, module=PROBED) as jobd:
        runs = JobRuns(jobd)
        runs.jobs(TRUE, AT_ONCE)  # warms jobd up
        began = time.monotonic()
        runs.jobs(TRUE, JOBS)
        ended = time.monotonic()
        runs.sweep()
    return _read(file), began, ended


def _in_deliveries(file: Path) -> Measured:
    with Receiver() as receiver:
        hook = receiver.url + "/hook"
        prepare = partial(keep_undelivered, jobs=SENDING_JOBS, events=EVENTS, url=hook, key=KEY)
        with Daemon({VARIABLE: str(file)}, module=PROBED, prepare=prepare):
            began, deadline = time.monotonic(), time.monotonic() + DELIVERED_S
            while receiver.count < SENDING_JOBS * EVENTS:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{receiver.count} events arrived within {DELIVERED_S} s")
                time.sleep(0.05)
            ended = time.monotonic()
    return _read(file), began, ended


def _read(file: Path) -> list[Sample]:
    numbers = array("d", file.read_bytes())
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
