"""The report of a soak: a line each minute, the table at the end, and the same as JSON. Pure."""

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.checks.check_results import PROMISES, CheckResults
from tests.soak.plan import Plan
from tests.soak.records import Records

SHOWN, EVIDENCE = 12, 100
_JOB = re.compile(r"soak-[0-9a-f]+-[0-9]+")
MB = 1 << 20


def status_line(at_s: float, records: Records, results: CheckResults) -> str:
    """Returns one line about the progress."""
    jobs = list(records.jobs.values())
    accepted = sum(job.accepted_s is not None for job in jobs)
    ended = sum(job.end is not None for job in jobs)
    deleted = sum(job.deleted_s is not None for job in jobs)
    sample = records.samples[-1] if records.samples else None
    memory = (
        f", memory {sample.memory_bytes / MB:.0f} MB, state {sample.state_bytes / MB:.0f} MB"
        if sample
        else ""
    )
    return (
        f"{at_s:6.0f} s  {accepted} jobs accepted, {ended} seen to end, {deleted} deleted; {len(records.arrivals)} events; "
        f"{len(records.windows)} faults{memory}; {sum(results.checks.values())} checks, {results.failed} failed"
    )


def table(plan: Plan, records: Records, results: CheckResults) -> str:
    """Returns the table of promises with the violations."""
    kinds = Counter(window.kind for window in records.windows)
    did = ", ".join(f"{name} {count}" for name, count in sorted(kinds.items()))
    rows = [f"faults: {did}", "", f"{'promise':<50} {'checks':>8} {'failed':>7}"]
    for number, words in PROMISES.items():
        found = results.violations[number]
        rows.append(f"{number:>2}  {words:<46} {results.checks[number]:>8} {len(found):>7}")
    for number, found in results.violations.items():
        if not found:
            continue
        rows += ["", f"promise {number}, {PROMISES[number]} (SOAK_SEED={plan.seed}):"]
        rows += [f"  - {text}" for text in found[:SHOWN]]
        if len(found) > SHOWN:
            rows.append(f"  - and {len(found) - SHOWN} more, in the report")
    return "\n".join(rows)


def as_json(plan: Plan, records: Records, results: CheckResults, seconds: float) -> dict[str, Any]:
    """Returns the whole report."""
    return {
        "seed": plan.seed,
        "seconds": round(seconds, 1),
        "passed": results.failed == 0,
        "jobs": len(records.jobs),
        "kinds": dict(Counter(job.kind for job in records.jobs.values())),
        "answers": dict(
            sorted(
                Counter(
                    f"{one.call} {one.status}" for job in records.jobs.values() for one in job.answers
                ).items()
            )
        ),
        "events": len(records.arrivals),
        "most_memory_bytes": max((sample.memory_bytes for sample in records.samples), default=0),
        "most_state_bytes": max((sample.state_bytes for sample in records.samples), default=0),
        "promises": [
            {
                "number": number,
                "promise": words,
                "checks": results.checks[number],
                "failed": len(results.violations[number]),
                "violations": results.violations[number],
            }
            for number, words in PROMISES.items()
        ],
        "evidence": _evidence(records, results),
        "faults": [
            {"kind": one.kind, "began_s": round(one.began_s, 2), "ended_s": one.ended_s, "detail": one.detail}
            for one in records.windows
        ],
    }


def _evidence(records: Records, results: CheckResults) -> dict[str, Any]:
    """Returns the records of the jobs that violations name."""
    text = " ".join(line for found in results.violations.values() for line in found)
    named = [name for name in dict.fromkeys(_JOB.findall(text)) if name in records.jobs][:EVIDENCE]
    known: dict[str, Any] = {}
    for name in named:
        job = records.jobs[name]
        known[name] = {
            "kind": job.kind,
            "receiver": job.receiver,
            "alive_s": job.alive_s,
            "end": None if job.end is None else asdict(job.end),
            "end_seen_s": job.end_seen_s,
            "answers": [asdict(one) for one in job.answers],
            "engine": [asdict(one) for one in records.happened if one.job_id == name],
            "reports": [at_s for at_s, reported in records.reports if reported == name],
            "events": [
                f"{one.at_s:.2f} {one.sequence} {one.type} {'taken' if one.taken else 'not taken'} {one.event_id}"
                for one in records.arrivals
                if one.job_id == name
            ],
            "log": [asdict(line) for line in (job.log or [])[:SHOWN]],
        }
    return known


def write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
