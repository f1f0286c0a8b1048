"""Promise 8 from the logs of the API, read at once and followed, and from the log events. Pure."""

from collections import defaultdict

from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Arrival, Job, Line, Records

FULL = "the log is full"
TAIL = "the end"


def check_logs(records: Records, results: CheckResults, *, final: bool) -> None:
    """`final`: the log of each job that has ended and was not deleted must have been read."""
    sent: dict[str, list[Arrival]] = defaultdict(list)
    seen: set[str] = set()
    for arrival in list(records.arrivals):
        if arrival.type == "log" and arrival.event_id not in seen:
            seen.add(arrival.event_id)
            sent[arrival.job_id].append(arrival)
    for job in list(records.jobs.values()):
        if job.log is not None:
            _stored(job, job.log, records, results)
            if job.followed is not None:
                _followed(job, job.log, job.followed, results)
        elif final and job.end is not None and job.delete_asked_s is None:
            results.check(
                8, False, f"{job.id} ({job.kind}) has ended as {job.end}, and its log cannot be read"
            )
        if final and job.receiver in ("good", "flaky", "slow", "resets") and job.undisturbed and job.log:
            _announced(job, job.log, sent[job.id], results)


def _stored(job: Job, lines: list[Line], records: Records, results: CheckResults) -> None:
    numbers = [line.seq for line in lines]
    text = f"{job.id} ({job.kind}): the frames of the log are numbered {numbers[:3]}..{numbers[-3:]}"
    results.check(8, numbers == list(range(1, len(numbers) + 1)), text)
    size = sum(len(line.text) for line in lines)
    results.check(12, size <= records.limits.log_bytes, f"{job.id}: the log has {size} bytes")
    expect = job.expect
    if expect.fills_log:
        whole = job.undisturbed and job.end is not None and job.end.reason != "lost"
        marked = any(line.gap and FULL in line.gap for line in lines)
        results.check(8, marked or not whole, f"{job.id} ({job.kind}): nothing says that the log is full")
        return
    marked = bool(lines) and lines[-1].gap is not None  # one mark at the end is about both streams
    for stream, count in (("stdout", expect.out), ("stderr", expect.err)):
        init_says = expect.init_says if stream == "stderr" else ""
        mine = [
            line
            for line in lines
            if line.stream == stream and not (init_says and line.text.startswith(init_says))
        ]
        tail = expect.tail and stream == "stdout"
        wrong = gapless(mine, count, tail=tail, whole=job.undisturbed and _ran_out(job) and not marked)
        results.check(8, wrong is None, f"{job.id} ({job.kind}): {stream}: {wrong}")


def _ran_out(job: Job) -> bool:
    """Returns whether the worker has printed its whole output."""
    return job.end is not None and job.end.reason == job.expect.reason and job.end.code == job.expect.code


def gapless(lines: list[Line], count: int, *, tail: bool, whole: bool) -> str | None:
    """Returns what is wrong with the numbered lines of one stream, None if each line is there once, in order, or a mark says
    that lines are missing. Without `whole`, lines may be missing at the end.
    """
    following, ended = 1, False
    for line in lines:
        if ended:
            return f"{line.text!r} comes after the last line"
        lost = line.gap is not None
        if line.text == TAIL and tail:
            if following <= count and not lost:
                return f"line {following} is missing, without a mark"
            ended = True
            continue
        number = int(line.text.removeprefix("line ")) if line.text.startswith("line ") else None
        if number is None and lost:
            continue
        if number is None:
            return f"{line.text[:60]!r} was never printed"
        if number < following:
            return f"line {number} comes twice or too late"
        if number > following and not lost:
            return f"line {following} is missing before {number}, without a mark"
        following = number + 1
    marked = bool(lines) and lines[-1].gap is not None
    if whole and not marked and following <= count:
        return f"the lines from {following} to {count} are missing at the end"
    if whole and not marked and tail and not ended:
        return "the last line, which has no newline, is missing"
    return None


def _followed(job: Job, stored: list[Line], followed: list[Line], results: CheckResults) -> None:
    text = f"{job.id} ({job.kind}): {len(followed)} lines were followed and {len(stored)} are stored, not the same"
    results.check(8, followed == stored, text)


def _announced(job: Job, stored: list[Line], events: list[Arrival], results: CheckResults) -> None:
    """The log events, in the order of their numbers, contain each stored line of a stream once."""
    if any(line.gap for line in stored):
        return
    for stream in ("stdout", "stderr"):
        lines = [line.text for line in stored if line.stream == stream]
        told = [
            text
            for event in sorted(events, key=lambda one: one.sequence or 0)
            if event.data.get("stream") == stream
            for text in event.data.get("lines", [])
        ]
        text = f"{job.id} ({job.kind}): the log events have {len(told)} lines of {stream}, stored are {len(lines)}"
        results.check(8, told == lines, text)
