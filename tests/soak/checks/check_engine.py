"""Promises 2, 5 and 7 from the engine's own events and lists, and from the workers' own reports. Pure."""

from collections import Counter, defaultdict

from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Happened, Job, Records

GRACE_S = 10.0
EARLY_S = 1.5
"""An end counts as early below this share of the timeout: the observer and jobd see a start at different times."""


def check_engine(records: Records, results: CheckResults, *, final: bool) -> None:
    """`final`: all jobs are deleted, and nothing may be left."""
    _starts(records, results, final=final)
    _timeouts(records, results)
    _deleted(records, results)
    _let_go(records, results)
    if final:
        left = records.engine[-1].ids if records.engine else frozenset({"never looked"})
        listed = records.listed_at_end
        results.check(7, not listed, f"all jobs are deleted, but {listed[:5]} are listed")
        results.check(7, not left, f"at the end the engine has containers or volumes of {sorted(left)}")


def _starts(records: Records, results: CheckResults, *, final: bool) -> None:
    counts: Counter[tuple[str, int]] = Counter()
    for one in list(records.happened):
        if one.action == "start" and one.role == "worker" and one.job_id in records.jobs:
            counts[one.job_id, one.attempt] += 1
    for (job_id, attempt), count in counts.items():
        kind = records.jobs[job_id].kind
        results.check(
            2, count == 1, f"{job_id} ({kind}): the worker of attempt {attempt} started {count} times"
        )
    reported = Counter(job_id for _, job_id in list(records.reports))
    for job_id, count in reported.items():
        job = records.jobs.get(job_id)
        if job is not None:
            text = f"{job_id} ({job.kind}): {count} workers reported their start, of {job.expect.attempts} attempts"
            results.check(2, count <= job.expect.attempts, text)
    if not final:
        return
    for job in list(records.jobs.values()):
        if job.end is not None and job.undisturbed and job.valid:
            attempts = sum(1 for job_id, _ in counts if job_id == job.id)
            init_alone = bool(
                job.expect.init_says
            )  # the engine starts the init, which cannot execute the command
            never = job.expect.code is None or (job.end.reason == "start-failed" and not init_alone)
            wanted = 0 if never else job.expect.attempts
            if job.end.reason != "lost":
                text = f"{job.id} ({job.kind}): {attempts} attempts were started, not {wanted}"
                results.check(2, attempts == wanted, text)
                text = f"{job.id} ({job.kind}): {reported[job.id]} workers reported their start, not {wanted}"
                results.check(2, not job.expect.reports or reported[job.id] == wanted, text)


def _timeouts(records: Records, results: CheckResults) -> None:
    begun: dict[str, Happened] = {}
    for one in list(records.happened):
        if one.role != "worker":
            continue
        job = records.jobs.get(one.job_id)
        if job is None or job.expect.timeout_s is None:
            continue
        if one.action == "start":
            begun[one.container] = one
        elif one.action == "die" and (start := begun.pop(one.container, None)) is not None:
            _ran(job, start, one.at_s, records, results, ended=True)
    now_s = records.listings[-1].answered_s if records.listings else 0.0
    for start in begun.values():
        _ran(records.jobs[start.job_id], start, now_s, records, results, ended=False)


def _ran(
    job: Job, start: Happened, end_s: float, records: Records, results: CheckResults, *, ended: bool
) -> None:
    assert job.expect.timeout_s is not None
    ran_s = end_s - start.at_s
    most_s = job.expect.timeout_s + GRACE_S + records.limits.slack_s + records.disturbed_s(start.at_s, end_s)
    text = f"{job.id} ({job.kind}): the worker ran {ran_s:.1f} s with a timeout of {job.expect.timeout_s:g} s"
    results.check(5, ran_s <= most_s, text)
    if ended and job.undisturbed:
        results.check(5, ran_s >= job.expect.timeout_s - EARLY_S, text)


def _deleted(records: Records, results: CheckResults) -> None:
    """A deleted job is never listed again, and soon gone from the engine."""
    deleted = {job.id: job.deleted_s for job in list(records.jobs.values()) if job.deleted_s is not None}
    results.passed(7, len(deleted))
    told: set[str] = set()
    for listing in list(records.listings):
        for job_id in listing.ids & deleted.keys():
            if listing.asked_s > deleted[job_id] and job_id not in told:
                told.add(job_id)
                text = f"{job_id} was deleted at {deleted[job_id]:.1f} s and listed at {listing.answered_s:.1f} s"
                results.check(7, False, text)
    told.clear()
    for seen in list(records.engine):
        for job_id in seen.ids & deleted.keys() - told:
            since_s = deleted[job_id]
            allowed_s = records.limits.gone_s + GRACE_S + records.disturbed_s(since_s, seen.at_s)
            if seen.at_s - since_s > allowed_s:
                told.add(job_id)
                text = f"{job_id} was deleted at {since_s:.1f} s and on the engine at {seen.at_s:.1f} s"
                results.check(7, False, text)


def _let_go(records: Records, results: CheckResults) -> None:
    """After JOB_RETENTION nothing of a job is on the engine. A wall clock that was set back since the end extends that time."""
    told: dict[str, bool] = defaultdict(bool)
    for seen in list(records.engine):
        for job_id in seen.ids:
            job = records.jobs.get(job_id)
            if job is None or job.end_seen_s is None or told[job_id]:
                continue
            # The job ended between the last listing that shows it as running and the first one after that.
            since_s = max(job.end_seen_s, records.not_behind_since(job.alive_s, seen.at_s))
            allowed_s = records.limits.job_retention_s + records.limits.gone_s
            allowed_s += records.disturbed_s(since_s, seen.at_s)
            if seen.at_s - since_s > allowed_s:
                told[job_id] = True
                text = (
                    f"{job_id} ended before {job.end_seen_s:.1f} s and is on the engine at {seen.at_s:.1f} s"
                )
                results.check(7, False, text)
    ended = sum(1 for job in list(records.jobs.values()) if job.end is not None)
    results.passed(7, ended)
