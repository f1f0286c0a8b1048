"""Each check of the soak detects its violation: correct records, each time with one change."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.soak.checks.check_all import check_all
from tests.soak.checks.check_results import PROMISES
from tests.soak.plan import make_plan
from tests.soak.records import (
    Answer,
    End,
    Expect,
    Line,
    Listing,
    OnEngine,
    Records,
    Sample,
    Window,
)
from tests.soak.report import as_json, status_line, table
from tests.unit.soak.soak_records import (
    LOG,
    again,
    cancel_forgotten,
    happened,
    job,
    lost_code,
    never_ends,
    no_reason,
    records,
    runs_on,
    set_log,
    swap,
    unmarked_flood,
    without,
)

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


def test_a_kill_for_memory_must_be_named_if_the_engine_told_of_it() -> None:
    made = records()
    made.jobs["killed"].expect = Expect("failed", "oom-killed", 137)
    assert check_all(made, final=True).violations[4] == []
    made.happened.append(happened("killed", "oom", 8.9))
    assert len(check_all(made, final=True).violations[4]) == 1
    made.jobs["killed"].end = End("failed", "oom-killed", 137)
    assert check_all(made, final=True).violations[4] == []


def test_a_marked_gap_is_no_violation() -> None:
    made = records()
    set_log(made, replace(LOG[1], seq=1), Line(2, "stdout", "the end", "lines were lost"))
    assert check_all(made, final=True).violations[8] == []


def test_a_mark_at_the_end_is_about_both_streams() -> None:
    made = records()
    set_log(made, Line(1, "stdout", "", "the container was removed"))
    assert check_all(made, final=True).violations[8] == []
    set_log(made, Line(1, "stdout", "line 1", None))
    assert check_all(made, final=True).violations[8]


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
