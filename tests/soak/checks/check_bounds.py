"""Promises 10 and 12 from the records: intruders, memory, the disk and its refusals. Pure."""

from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Records

MB = 1 << 20
FULL_AFTERWARDS_S = 5.0
"""jobd may refuse submissions for so long after the disk has space again."""
REACHED = 33
"""The exit code of an intruder that has got a response."""


def check_bounds(records: Records, results: CheckResults) -> None:
    for job in list(records.jobs.values()):
        if job.kind == "intruder" and job.end is not None and job.end.code is not None:
            results.check(10, job.end.code != REACHED, f"{job.id} has reached jobd's API")
        for answer in list(job.answers):
            if answer.status != 507:
                continue
            full = any(
                window.began_s <= answer.answered_s
                and (window.ended_s is None or answer.asked_s <= window.ended_s + FULL_AFTERWARDS_S)
                for window in list(records.windows)
                if window.kind == "disk-full"
            )
            text = (
                f"{job.id}: {answer.call} was refused with 507 at {answer.answered_s:.1f} s; there was room"
            )
            results.check(12, full, text)
        for before, answer in zip(job.answers, job.answers[1:], strict=False):
            if answer.call == "look-after-507" and before.status == 507:
                text = f"{job.id} was refused with 507, and then looking found {answer.status}"
                results.check(12, answer.status in (0, 404, 503), text)
    for name, bound in (
        ("memory_bytes", records.limits.memory_bytes),
        ("state_bytes", records.limits.state_bytes),
    ):
        worst = max(records.samples, key=lambda sample: getattr(sample, name), default=None)
        results.passed(12, max(0, len(records.samples) - 1))
        if worst is not None:
            most = getattr(worst, name)
            text = f"{name} was {most / MB:.0f} MB at {worst.at_s:.1f} s, over {bound / MB:.0f} MB"
            results.check(12, most <= bound, text)
