"""Correct records of a soak, and functions that change them."""

from dataclasses import replace
from typing import Any

from tests.soak.records import (
    Answer,
    Arrival,
    End,
    Expect,
    Happened,
    Job,
    Limits,
    Line,
    Listing,
    OnEngine,
    Records,
    Sample,
    Window,
)

LOG = [
    Line(1, "stdout", "line 1", None),
    Line(2, "stderr", "line 1", None),
    Line(3, "stdout", "the end", None),
]


def arrival(job: str, number: int, type: str, at_s: float, **data: Any) -> Arrival:
    return Arrival(at_s, "good", job, f"{job}-{number}", type, number, f"digest {number}", True, True, data)


def happened(job: str, action: str, at_s: float, code: int | None = None, attempt: int = 1) -> Happened:
    return Happened(at_s, action, "worker", job, f"uid-{job}", attempt, f"c-{job}-{attempt}", code)


def job_of(name: str, kind: str, expect: Expect, end: End, **more: Any) -> Job:
    job = Job(
        name, kind, "none", expect, uid=f"uid-{name}", accepted_s=1.0, alive_s=9.0, end=end, end_seen_s=10.0
    )
    job.answers.append(Answer(0.9, 1.0, "submit", 202))
    job.log, job.log_ended = [], True
    for field, value in more.items():
        setattr(job, field, value)
    return job


def records() -> Records:
    """Correct records: a job with events and outputs, one with a timeout, a deleted one, an intruder, and invalid input."""
    made = Records(limits=Limits(gone_s=20.0))
    whole = Expect(out=1, err=1, tail=True, uploads={"whole": "sent"}, reads={"sum": 55})
    jobs = [
        job_of("whole", "artifacts", whole, End("completed", None, 0), receiver="good", log=list(LOG)),
        job_of("late", "timeout", Expect("failed", "timeout", 3, timeout_s=4.0), End("failed", "timeout", 3)),
        job_of("gone", "zero", Expect(), End("completed", None, 0), delete_asked_s=11.0, deleted_s=12.0),
        job_of("spy", "intruder", Expect("failed", "exit-code", 5), End("failed", "exit-code", 5)),
        job_of("killed", "killed", Expect("failed", "exit-code", 137), End("failed", "exit-code", 137)),
        job_of(
            "dead", "code", Expect("failed", "exit-code", 7), End("failed", "exit-code", 7), receiver="dead"
        ),
        Job("bad", "invalid", "none", Expect(), valid=False),
    ]
    jobs[0].followed = list(LOG)
    jobs[-1].answers.append(Answer(1.0, 1.1, "submit", 400, "invalid-spec", "memory"))
    made.jobs = {job.id: job for job in jobs}
    made.jobs["late"].answers += [
        Answer(29.0, 29.1, "submit", 507, "disk-full"),
        Answer(29.2, 29.3, "look-after-507", 404, "not-found"),
    ]
    for name, code in (("whole", 0), ("late", 3), ("gone", 0), ("spy", 5), ("killed", 137), ("dead", 7)):
        made.happened += [happened(name, "start", 4.0), happened(name, "die", 8.5, code)]
        made.reports.append((4.1, name))
    live = frozenset(made.jobs) - {"bad"}
    made.listings = [
        Listing(5.0, 5.1, live),
        Listing(12.5, 12.6, live - {"gone"}),
        Listing(40.0, 40.1, live - {"gone"}),
    ]
    made.engine = [OnEngine(5.0, live), OnEngine(70.0, frozenset())]
    made.uploads["whole"] = (8.0, "sent")
    made.arrivals = [
        arrival("whole", 1, "start", 4.1),
        arrival("whole", 2, "log", 5.0, stream="stdout", lines=["line 1", "the end"]),
        arrival("whole", 3, "log", 5.0, stream="stderr", lines=["line 1"]),
        arrival("whole", 4, "exit", 8.6, exitCode=0),
        arrival("whole", 5, "artifact", 8.7, artifactId="sum", status="success", content=55),
        arrival("whole", 6, "complete", 9.0, exitCode=0, status="completed"),
    ]
    made.samples = [Sample(5.0, 60 << 20, 2 << 20), Sample(6.0, 70 << 20, 3 << 20)]
    made.windows = [Window("engine-down", 30.0, 31.0), Window("disk-full", 28.0, 33.0)]
    return made


def job(made: Records, name: str = "whole") -> Job:
    return made.jobs[name]


def lost_code(made: Records, died_s: float) -> None:
    made.jobs["killed"].end = End("failed", "lost", None)
    made.happened = [one for one in made.happened if one.job_id != "killed"]
    made.happened += [happened("killed", "start", 4.0), happened("killed", "die", died_s, 137)]


def swap(made: Records, first: int, second: int) -> None:
    made.arrivals[first], made.arrivals[second] = made.arrivals[second], made.arrivals[first]


def without(made: Records, number: int) -> None:
    made.arrivals = [one for one in made.arrivals if one.sequence != number]


def again(made: Records, number: int, **changes: Any) -> None:
    known = next(one for one in made.arrivals if one.sequence == number)
    made.arrivals.append(replace(known, **changes))


def set_log(made: Records, *lines: Line) -> None:
    made.jobs["whole"].log = list(lines)
    made.jobs["whole"].followed = None
    made.arrivals = [one for one in made.arrivals if one.type != "log"]
    made.jobs["whole"].receiver = "none"


def never_ends(made: Records) -> None:
    made.jobs["whole"].end = None
    made.jobs["whole"].receiver = "none"


def cancel_forgotten(made: Records) -> None:
    made.jobs["whole"].cancel_asked_s, made.jobs["whole"].cancelled_s = 3.0, 3.1


def no_reason(made: Records) -> None:
    made.jobs["spy"].end = End("failed", None, None)
    made.happened = [one for one in made.happened if one.job_id != "spy"]


def runs_on(made: Records) -> None:
    made.happened.pop(3)
    made.listings.append(Listing(99.0, 99.1, made.listings[-1].ids))


def unmarked_flood(made: Records) -> None:
    set_log(made, LOG[0])
    made.jobs["whole"].expect = Expect(fills_log=True)
