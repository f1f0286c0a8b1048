"""Promises 1, 4, 6 and 11 from the records: acknowledged jobs exist and end as expected. Pure."""

from collections import defaultdict

from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Answer, Happened, Job, Records

KILLED_CODES = (137, 255)
ENGINE_BACK_S = 15.0
"""For so long after the engine was unreachable jobd may not distinguish a kill from the engine's own stop."""


def check_jobs(records: Records, results: CheckResults, *, final: bool) -> None:
    """`final`: the quiet phase has ended, so all jobs must have ended."""
    deaths: dict[str, list[Happened]] = defaultdict(list)
    for one in list(records.happened):
        if one.action == "die" and one.role == "worker":
            deaths[one.job_id].append(one)
    for job in list(records.jobs.values()):
        if not job.valid:
            _refused(job, results)
            continue
        _answered(job, records, results)
        if job.accepted_s is None:
            continue
        _there(job, records, results)
        if final and job.delete_asked_s is None:
            results.check(1, job.end is not None, f"{job.id} ({job.kind}) has not ended")
        if job.end is not None:
            text = f"{job.id} ({job.kind}) ended as {job.end} and then as {job.later_ends}"
            results.check(1, not job.later_ends, text)
            _code(job, deaths[job.id], records, results)
            _outcome(job, records, results)
    for fault in list(records.faults_of_jobd):
        results.check(1, False, fault)


def _there(job: Job, records: Records, results: CheckResults) -> None:
    """A job is listed from its acknowledgement until its deletion or the end of its retention."""
    assert job.accepted_s is not None
    for listing in list(records.listings):
        if listing.asked_s <= job.accepted_s or job.id in listing.ids:
            continue
        if job.delete_asked_s is not None and listing.answered_s >= job.delete_asked_s:
            break
        age_s = listing.answered_s - job.alive_s
        if age_s >= records.limits.history_retention_s:
            break
        words = f"ended as {job.end}" if job.end else "never seen to end"
        text = f"{job.id} ({job.kind}, {words}) is gone at {listing.answered_s:.1f} s, {age_s:.1f} s after it was under way"
        steps = [f"{value:+g} s at {at_s:.1f} s" for at_s, value in records.clock if at_s > job.alive_s]
        results.check(1, False, f"{text}; the clock was set {', '.join(steps) or 'never'}")
        return
    results.check(1, True, "")


def _answered(job: Job, records: Records, results: CheckResults) -> None:
    """Every error response is explained by a fault."""
    for answer in list(job.answers):
        text = (
            f"{job.id}: {answer.call} was answered {answer.status} {answer.code} at {answer.answered_s:.1f} s"
        )
        results.check(1, answer.status != 500, text)
        if answer.status == 404 and answer.call in ("cancel", "delete"):
            results.check(1, _may_be_gone(job, answer, records), text)
        if answer.call == "submit" and answer.status in (400, 404, 409, 413, 415):
            # A job that was accepted and deleted before the client got the response may be `deleting`.
            results.check(1, answer.code == "deleting" and job.delete_asked_s is not None, text)


def _may_be_gone(job: Job, answer: Answer, records: Records) -> bool:
    before = [one for one in job.answers if one.call == "delete" and one.asked_s < answer.answered_s]
    deleted = any(one is not answer and one.status in (0, 204, 500, 503, 507) for one in before)
    return deleted or answer.answered_s - job.alive_s >= records.limits.history_retention_s


def _code(job: Job, deaths: list[Happened], records: Records, results: CheckResults) -> None:
    assert job.end is not None
    mine = [one for one in deaths if not job.uid or one.uid == job.uid]
    last = max(mine, key=lambda one: (one.attempt, one.at_s), default=None)
    if "start-failed" in (job.end.reason, job.expect.reason):
        return  # the code is that of the failed start, not of the worker's end
    if job.end.status == "cancelled" and job.end.code is None and job.expect.attempts > 1:
        return  # between two attempts there is no worker; the job's attempts have the previous code
    if job.end.code is not None:
        codes = {one.code for one in mine if last is not None and one.attempt == last.attempt}
        text = f"{job.id} ({job.kind}) has the code {job.end.code}, the engine said {sorted(codes, key=str)}"
        results.check(4, job.end.code in codes, text)
    elif last is not None:
        text = f"{job.id} ({job.kind}) has no code ({job.end.reason}), the engine said {last.code} at {last.at_s:.1f} s"
        results.check(4, _may_be_lost(last, records), text)
    else:
        results.check(4, bool(job.end.reason), f"{job.id} ({job.kind}) has neither a code nor a reason")


def _may_be_lost(death: Happened, records: Records) -> bool:
    """The only exception: a worker that was killed (137, or 255) while no connection to the engine was possible, since that
    looks as if the engine itself had been stopped.
    """
    return death.code in KILLED_CODES and any(
        window.began_s - 1 <= death.at_s <= (window.ended_s or death.at_s) + ENGINE_BACK_S
        for window in records.windows
        if window.kind == "engine-down"
    )


def _outcome(job: Job, records: Records, results: CheckResults) -> None:
    assert job.end is not None
    end, wanted = job.end, job.expect
    if job.cancelled_s is not None and job.end_seen_s is not None:
        asked = job.cancel_asked_s or 0.0
        if job.delete_asked_s is None and job.alive_s > asked:
            text = (
                f"{job.id} ({job.kind}) was under way after its cancel was acknowledged, and ended as {end}"
            )
            results.check(1, end.status == "cancelled", text)
    if not job.undisturbed or end.reason == "lost":
        return
    found, should = (end.status, end.reason, end.code), (wanted.status, wanted.reason, wanted.code)
    if wanted.reason == "oom-killed" and not _memory_kill_announced(job, records):
        should = (wanted.status, "exit-code", wanted.code)
    promise = 6 if "output-failed" in (end.reason, wanted.reason) else 5 if wanted.reason == "timeout" else 4
    text = (
        f"{job.id} ({job.kind}) ended as {found}, and must as {should}; seen at {job.end_seen_s or 0:.1f} s"
    )
    results.check(promise, found == should, text)
    for name, content in wanted.uploads.items():
        stored = records.uploads.get(name)
        if end.status == "completed":
            good = stored is not None and stored[1] == content
            results.check(6, good, f"{job.id} is completed, its upload is {stored!r}, not {content!r}")
    if f"not-{job.id}" in records.uploads:
        results.check(6, False, f"{job.id} failed, but its artifacts for a success ran")


def _memory_kill_announced(job: Job, records: Records) -> bool:
    """Whether the engine told of the kernel's kill. An engine whose kernel removes the container's cgroup first loses that notice, and
    then nothing distinguishes the kill from another one.
    """
    return any(one.action == "oom" and one.job_id == job.id for one in list(records.happened))


def _refused(job: Job, results: CheckResults) -> None:
    """The response to invalid input names the field, and the job does not exist."""
    for answer in (one for one in list(job.answers) if one.call == "submit" and one.status not in (0, 503)):
        text = (
            f"{job.id}: bad input was answered {answer.status} {answer.code} with the field {answer.field!r}"
        )
        results.check(11, answer.status == 400 and bool(answer.field), text)
    results.check(11, job.end is None and not job.uid, f"{job.id}: bad input has become a job")
