"""`make soak`: all kinds of jobs beside random faults, watched from outside.

SOAK_SECONDS: how long it takes, the quiet phase at the end included. SOAK_SEED: the seed of the plan; printed, random without it.
Ends with 0 where no promise was broken, else with 1.
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
    plan, tally = soak.run(lambda can_fill: make_plan(seed, active_s, can_fill_disk=can_fill), LOG)
    took_s = soak.now()
    report.write(OUT, report.as_json(plan, soak.records, tally, took_s))
    say("\n" + report.table(plan, soak.records, tally))
    verdict = "no promise was broken" if tally.failed == 0 else f"{tally.failed} checks failed"
    say(f"\n{verdict} in {took_s:.0f} s, SOAK_SEED={seed}; report: {OUT.relative_to(ROOT)}")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
