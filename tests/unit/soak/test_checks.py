"""Each check of the soak detects its violation: correct records, each time with one change."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.soak.check_results import PROMISES
from tests.soak.checks import check_all
from tests.soak.plan import make_plan
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
from tests.soak.report import as_json, status_line, table

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


VIOLATIONS: list[tuple[str, int, Callable[[Records], object]]] = [
    ("an acknowledged job is not listed", 1, lambda r: r.listings.insert(1, Listing(6.0, 6.1, frozenset()))),
    (
        "a history is let go too early",
        1,
        lambda r: r.listings.append(Listing(60.0, 60.1, frozenset({"late", "spy", "killed", "dead"}))),
    ),
    (
        "a job never ends",
        1,
        never_ends,
    ),
    ("an end changes", 1, lambda r: job(r).later_ends.append(End("failed", "lost", None))),
    (
        "a call is answered with 500",
        1,
        lambda r: job(r).answers.append(Answer(2.0, 2.1, "cancel", 500, "internal")),
    ),
    (
        "a job that is there cannot be deleted",
        1,
        lambda r: job(r).answers.append(Answer(2.0, 2.1, "delete", 404)),
    ),
    ("a new job is refused", 1, lambda r: job(r).answers.append(Answer(2.0, 2.1, "submit", 409, "exists"))),
    (
        "a cancel is forgotten",
        1,
        cancel_forgotten,
    ),
    ("jobd ends by itself", 1, lambda r: r.faults_of_jobd.append("jobd had ended")),
    ("a worker starts twice", 2, lambda r: r.happened.append(happened("whole", "start", 6.0))),
    ("two workers report a start", 2, lambda r: r.reports.append((6.0, "whole"))),
    (
        "a second attempt that nobody wants",
        2,
        lambda r: r.happened.append(happened("whole", "start", 6.0, attempt=2)),
    ),
    ("events out of order", 3, lambda r: swap(r, 1, 3)),
    ("an event is missing", 3, lambda r: without(r, 3)),
    ("an id with another content", 3, lambda r: again(r, 2, digest="other")),
    ("a number under another id", 3, lambda r: again(r, 6, event_id="another", type="log")),
    ("a wrong signature", 3, lambda r: again(r, 2, verified=False)),
    (
        "an event that is never taken",
        3,
        lambda r: r.arrivals.__setitem__(5, replace(r.arrivals[5], taken=False)),
    ),
    ("a second complete", 3, lambda r: again(r, 6, event_id="another", sequence=7)),
    ("another code than the engine's", 4, lambda r: setattr(job(r), "end", End("completed", None, 1))),
    ("a code is lost though the engine was there", 4, lambda r: lost_code(r, 8.5)),
    (
        "an outcome that the kind does not have",
        4,
        lambda r: setattr(job(r, "spy"), "end", End("completed", None, 5)),
    ),
    ("an exit event with another code", 4, lambda r: r.arrivals[3].data.update(exitCode=9)),
    (
        "neither code nor reason",
        4,
        no_reason,
    ),
    (
        "a worker outlives its timeout",
        5,
        lambda r: r.happened.__setitem__(3, happened("late", "die", 90.0, 3)),
    ),
    (
        "a worker that runs on after its timeout",
        5,
        runs_on,
    ),
    (
        "a worker is ended before its timeout",
        5,
        lambda r: r.happened.__setitem__(3, happened("late", "die", 5.0, 3)),
    ),
    (
        "a timeout that ends otherwise",
        5,
        lambda r: setattr(job(r, "late"), "end", End("failed", "exit-code", 3)),
    ),
    ("completed without the upload", 6, lambda r: r.uploads.clear()),
    ("completed with another upload", 6, lambda r: r.uploads.update(whole=(8.0, "other"))),
    ("an output that is for a success alone", 6, lambda r: r.uploads.update({"not-spy": (8.0, "x")})),
    ("another content is read", 6, lambda r: r.arrivals[4].data.update(content=54)),
    ("an event after complete", 6, lambda r: again(r, 2, event_id="another", sequence=7)),
    ("complete says another status", 6, lambda r: r.arrivals[5].data.update(status="failed")),
    ("a deleted job is listed again", 7, lambda r: r.listings.append(Listing(41.0, 41.1, r.listings[0].ids))),
    (
        "a deleted job stays on the engine",
        7,
        lambda r: r.engine.insert(1, OnEngine(60.0, frozenset({"gone"}))),
    ),
    ("retention lets nothing go", 7, lambda r: r.engine.insert(1, OnEngine(60.0, frozenset({"whole"})))),
    ("something is left on the engine", 7, lambda r: r.engine.append(OnEngine(71.0, frozenset({"x"})))),
    ("the engine was never looked at", 7, lambda r: r.engine.clear()),
    ("something is listed at the end", 7, lambda r: r.listed_at_end.append("whole")),
    ("a line is missing", 8, lambda r: set_log(r, LOG[0], replace(LOG[2], seq=2))),
    (
        "a line comes twice",
        8,
        lambda r: set_log(r, LOG[0], LOG[1], replace(LOG[0], seq=3), replace(LOG[2], seq=4)),
    ),
    ("the last line is missing", 8, lambda r: set_log(r, LOG[0], LOG[1])),
    ("a hole without a mark", 8, lambda r: set_log(r, replace(LOG[2], seq=1), replace(LOG[1], seq=2))),
    ("a line that nobody printed", 8, lambda r: set_log(r, *LOG, Line(4, "stderr", "what", None))),
    ("a line after the last", 8, lambda r: set_log(r, LOG[1], replace(LOG[2], seq=2))),
    ("a frame's number is missing", 8, lambda r: set_log(r, LOG[0], LOG[1], replace(LOG[2], seq=4))),
    ("a log that cannot be read", 8, lambda r: setattr(job(r, "late"), "log", None)),
    ("a follower misses a line", 8, lambda r: setattr(job(r), "followed", LOG[:2])),
    ("a log event misses a line", 8, lambda r: r.arrivals[1].data.update(lines=["line 1"])),
    (
        "a full log without a mark",
        8,
        unmarked_flood,
    ),
    (
        "the good receiver waits for the others",
        9,
        lambda r: r.arrivals.__setitem__(5, replace(r.arrivals[5], at_s=69.0)),
    ),
    ("an intruder reaches jobd", 10, lambda r: setattr(job(r, "spy"), "end", End("failed", "exit-code", 33))),
    ("bad input is taken", 11, lambda r: job(r, "bad").answers.append(Answer(2.0, 2.1, "submit", 202))),
    (
        "bad input without its field",
        11,
        lambda r: job(r, "bad").answers.append(Answer(2.0, 2.1, "submit", 400, "x", "")),
    ),
    ("bad input becomes a job", 11, lambda r: setattr(job(r, "bad"), "uid", "uid")),
    ("too much memory", 12, lambda r: r.samples.append(Sample(7.0, 1 << 30, 0))),
    ("too much disk", 12, lambda r: r.samples.append(Sample(7.0, 0, 1 << 30))),
    (
        "refused though there is room",
        12,
        lambda r: job(r).answers.append(Answer(20.0, 20.1, "submit", 507, "disk-full")),
    ),
    (
        "refused, and a job nevertheless",
        12,
        lambda r: job(r, "late").answers.__setitem__(2, Answer(29.2, 29.3, "look-after-507", 200)),
    ),
    ("a log over its bound", 12, lambda r: set_log(r, Line(1, "stdout", "x" * (2 << 20), "the log is full"))),
]


def test_correct_records_have_no_violation_and_every_promise_is_checked() -> None:
    results = check_all(records(), final=True)
    assert {number: found for number, found in results.violations.items() if found} == {}
    assert [number for number in PROMISES if results.checks[number] == 0] == []
    assert check_all(records(), final=False).failed == 0


@pytest.mark.parametrize(
    ("promise", "spoil"), [one[1:] for one in VIOLATIONS], ids=[one[0] for one in VIOLATIONS]
)
def test_a_violation_is_found(promise: int, spoil: Callable[[Records], object]) -> None:
    made = records()
    spoil(made)
    assert check_all(made, final=True).violations[promise]


def test_every_promise_has_a_violation() -> None:
    assert {promise for _, promise, _ in VIOLATIONS} == set(PROMISES)


def test_before_the_end_jobs_may_still_run() -> None:
    made = records()
    for one in made.jobs.values():
        one.end = one.log = one.followed = None
    made.arrivals = made.arrivals[:2]
    made.listings = made.listings[:1]
    assert check_all(made, final=False).failed == 0


def test_a_code_may_be_lost_while_the_engine_is_unreachable() -> None:
    made = records()
    lost_code(made, 30.5)
    assert check_all(made, final=True).violations[4] == []


def test_a_marked_gap_is_no_violation() -> None:
    made = records()
    set_log(made, replace(LOG[1], seq=1), Line(2, "stdout", "the end", "lines were lost"))
    assert check_all(made, final=True).violations[8] == []


def test_the_time_of_a_fault_does_not_count_against_jobd() -> None:
    made = records()
    made.engine.insert(1, OnEngine(60.0, frozenset({"gone"})))
    made.windows.append(Window("stop", 20.0, 59.0))
    assert check_all(made, final=True).violations[7] == []


def test_a_wall_clock_that_was_set_back_prolongs_the_retention_of_files() -> None:
    made = records()
    made.engine.insert(1, OnEngine(60.0, frozenset({"whole"})))
    made.clock = [(2.0, 3600.0), (20.0, 0.0)]
    assert check_all(made, final=True).violations[7] == []


def test_after_the_clock_is_corrected_files_are_removed_as_usual() -> None:
    made = records()
    made.clock = [(2.0, 3600.0), (20.0, 0.0), (30.0, 3600.0)]
    made.engine.insert(1, OnEngine(50.0, frozenset({"whole"})))
    assert check_all(made, final=True).violations[7] == []
    made.engine.insert(2, OnEngine(90.0, frozenset({"whole"})))
    assert len(check_all(made, final=True).violations[7]) == 1


def test_the_report_names_the_seed_and_the_violations() -> None:
    made, plan = records(), make_plan(7, 1)
    made.uploads.clear()
    results = check_all(made, final=True)
    shown = table(plan, made, results)
    assert "SOAK_SEED=7" in shown
    assert "whole is completed, its upload is None" in shown
    assert f"{results.failed} failed" in status_line(60.0, made, results)
    report = as_json(plan, made, copy.deepcopy(results), 60.0)
    assert (report["seed"], report["passed"]) == (7, False)
    assert report["promises"][5]["failed"] == 1
