"""`make soak`: runs all kinds of jobs under random faults, and checks the results from outside.

SOAK_SECONDS: the duration, with the quiet phase at the end. SOAK_SEED: the seed of the plan, random by default; the soak prints it.
The exit code is 0 if no promise was broken, otherwise 1.
"""

import os
import random
import signal
import sys
from pathlib import Path

from tests.soak import report
from tests.soak.plan import make_plan
from tests.soak.run import Soak

ROOT = Path(__file__).resolve().parents[2]
OUT, LOG = ROOT / "build" / "soak.json", ROOT / "build" / "soak-jobd.log"
DEFAULT_S = 1800.0
QUIET_S = 120.0


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    seconds = float(os.environ.get("SOAK_SECONDS") or DEFAULT_S)
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
    quiet_s = min(QUIET_S, max(20.0, seconds / 4))
    active_s = max(10.0, seconds - quiet_s)
    say(f"soak of {seconds:g} s, faults for {active_s:g} s; SOAK_SEED={seed} repeats the same plan")
    soak = Soak(quiet_s, say)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: soak.stop.set())
    plan, results = soak.run(lambda can_fill: make_plan(seed, active_s, can_fill_disk=can_fill), LOG)
    took_s = soak.now()
    report.write(OUT, report.as_json(plan, soak.records, results, took_s))
    say("\n" + report.table(plan, soak.records, results))
    outcome = "no promise was broken" if results.failed == 0 else f"{results.failed} checks failed"
    say(f"\n{outcome} in {took_s:.0f} s, SOAK_SEED={seed}; report: {OUT.relative_to(ROOT)}")
    return 0 if results.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
