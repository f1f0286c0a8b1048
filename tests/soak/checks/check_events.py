"""Promises 3, 6 and 9 from the events that the receivers got. Pure."""

from collections import defaultdict

from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Arrival, Job, Records

START, LOG, EXIT, ARTIFACT, COMPLETE = "start", "log", "exit", "artifact", "complete"
BROKEN = ("flaky", "slow", "resets", "dead")
LATE_S = 30.0
"""A good receiver gets the last event of a job at the latest so long after the API has shown the job's end."""


def check_events(records: Records, results: CheckResults, *, final: bool) -> None:
    """`final`: all deliverable events must be delivered."""
    by_job: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in list(records.arrivals):
        by_job[arrival.job_id].append(arrival)
        results.check(
            3, arrival.verified, f"{arrival.job_id}: {arrival.event_id} is not signed as it must be"
        )
    broken = any(job.receiver in BROKEN for job in records.jobs.values())
    for job in list(records.jobs.values()):
        if job.accepted_s is None or job.receiver == "none":
            continue
        arrivals = by_job[job.id]
        first = _first_of_each(job, arrivals, results)
        _last(job, first, results)
        if job.receiver != "dead" and job.delete_asked_s is None:
            taken = {arrival.event_id: arrival for arrival in arrivals if arrival.taken}
            if final:
                _whole(job, list(taken.values()), results)
            if job.receiver == "good" and broken:
                _in_time(job, first, records, results)


def _first_of_each(job: Job, arrivals: list[Arrival], results: CheckResults) -> list[Arrival]:
    """Returns the first arrival of each event; repetitions must be equal, and first arrivals in order."""
    first: dict[str, Arrival] = {}
    for arrival in arrivals:
        known = first.setdefault(arrival.event_id, arrival)
        results.check(
            3, known.digest == arrival.digest, f"{job.id}: {arrival.event_id} came with two contents"
        )
    numbers = [arrival.sequence for arrival in first.values()]
    text = f"{job.id} ({job.receiver}): events came in the order {numbers}"
    results.check(3, numbers == list(range(1, len(numbers) + 1)), text)
    return list(first.values())


def _last(job: Job, first: list[Arrival], results: CheckResults) -> None:
    """`exit` and `complete` arrive once, `complete` last, and both agree with the API."""
    types = [arrival.type for arrival in first]
    for name in (EXIT, COMPLETE):
        results.check(3, types.count(name) <= 1, f"{job.id}: {types.count(name)} different {name} events")
    if COMPLETE in types:
        results.check(6, types[-1] == COMPLETE, f"{job.id}: {types[-1]} came after complete")
    for arrival in first:
        if arrival.type not in (EXIT, COMPLETE) or job.end is None:
            continue
        code = -1 if job.end.code is None else job.end.code
        said = arrival.data.get("exitCode")
        text = f"{job.id} ({job.kind}): the {arrival.type} event says {said}, the API {job.end}"
        results.check(4, said == code, text)
        if arrival.type == COMPLETE:
            results.check(6, arrival.data.get("status") == job.end.status, text)


def _whole(job: Job, taken: list[Arrival], results: CheckResults) -> None:
    numbers = sorted(arrival.sequence or 0 for arrival in taken)
    text = f"{job.id} ({job.kind}, {job.receiver}) has delivered the events {numbers} alone, of {job.end}"
    complete = any(arrival.type == COMPLETE for arrival in taken)
    results.check(3, complete and numbers == list(range(1, len(numbers) + 1)), text)
    if not job.undisturbed or job.end is None or job.end.reason == "lost":
        return
    read = {
        arrival.data.get("artifactId"): arrival.data.get("content")
        for arrival in taken
        if arrival.type == ARTIFACT and arrival.data.get("status") == "success"
    }
    for name, content in job.expect.reads.items():
        text = f"{job.id} ({job.kind}): the artifact {name} is {read.get(name)!r}, not {content!r}"
        results.check(6, read.get(name) == content, text)


def _in_time(job: Job, first: list[Arrival], records: Records, results: CheckResults) -> None:
    if job.end_seen_s is None:
        return
    last = next((arrival.at_s for arrival in first if arrival.type == COMPLETE), None)
    now_s = records.listings[-1].answered_s if records.listings else job.end_seen_s
    until_s = now_s if last is None else last
    late_s = until_s - job.end_seen_s - records.disturbed_s(job.end_seen_s, until_s)
    text = (
        f"{job.id}: the good receiver had complete {late_s:.1f} s after the end, beside receivers that fail"
    )
    results.check(9, late_s <= LATE_S, text)
