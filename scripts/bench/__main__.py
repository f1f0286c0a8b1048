"""Measures the performance budgets, side by side in one run: `make bench`; some rows: `python -m scripts.bench P1 P2`.

Prints a table, and writes build/bench.json with all samples, the machine and the commit. All rows take about eight minutes. A missed
budget is shown and is no error: absolute speed depends on the machine, and a person judges the ratios.
"""

import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterable

from scripts.bench import deliveries, files, growth, jobs, lag, logs, memory, queue, reads
from scripts.bench.pairs import Budget, Row
from scripts.bench.report import as_json, ordered, table
from scripts.bench.selection import UnknownNames, in_order, select
from scripts.bench.support.machine import commit, machine
from scripts.bench.support.progress import say
from scripts.daemon import ROOT

OUT = ROOT / "build" / "bench.json"
BENCHMARKS: tuple[tuple[tuple[Budget, ...], Callable[[frozenset[str]], Iterable[Row]]], ...] = (
    (jobs.BUDGETS, jobs.benchmarks),
    (deliveries.BUDGETS, deliveries.benchmarks),
    (reads.BUDGETS, reads.benchmarks),
    (logs.BUDGETS, logs.benchmarks),
    (memory.BUDGETS, memory.benchmarks),
    (files.BUDGETS, files.benchmarks),
    (growth.BUDGETS, growth.benchmarks),
    (queue.BUDGETS, queue.benchmarks),
    (lag.BUDGETS, lag.benchmarks),
)
NAMES = sorted((budget.name for budgets, _ in BENCHMARKS for budget in budgets), key=in_order)


def main(words: list[str]) -> int:
    """Returns 0; 1 if a measurement failed; 2 if a word names no row."""
    try:
        wanted = select(words, NAMES)
    except UnknownNames as error:
        say(f"bench: {error}")
        return 2
    rows: list[Row] = []
    failed = False
    for budgets, benchmarks in BENCHMARKS:
        chosen = wanted & {budget.name for budget in budgets}
        if not chosen:
            continue
        try:
            for row in benchmarks(chosen):
                rows.append(row)  # noqa: PERF402 - the rows before a failure count
        except Exception:  # the other rows are measured all the same
            traceback.print_exc()
            failed = True
    rows = ordered(rows)
    print(table(rows), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    report = {**commit(), "machine": machine(), **as_json(rows)}
    OUT.write_text(json.dumps(report, indent=1) + "\n")
    say(f"all samples: {OUT.relative_to(ROOT)}")
    return 1 if failed else 0


def _end(*_: object) -> None:
    """Ends the run as an exception does, so that daemons, containers and folders are removed."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
