"""The types of the values that jobctl prints with --json.

Owns the types of jobctl itself; the daemon's types are in `jobd.wire.view`. Tests compare them with real output.
"""

from typing import Any

import msgspec

from jobd.wire import view
from jobd.wire.set_view import SetView


class Shape(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all outputs."""


class Submitted(Shape, kw_only=True):
    """A job that the daemon has accepted; run prints it before the first line of the log."""

    id: str
    status: str
    uid: str = ""


class SetSubmitted(Shape, kw_only=True):
    """The jobs of a set in the order of their submission."""

    set: str
    jobs: list[str]


class SetPlanned(Shape, kw_only=True):
    """The specs that would be submitted, without secrets."""

    set: str
    jobs: list[dict[str, Any]]


class SetsOfList(Shape, kw_only=True):
    """Sets of jobs, newest first."""

    sets: list[SetView]


class JobsOfList(Shape, kw_only=True):
    """Jobs, newest first. `more`: the daemon has more jobs than --limit."""

    jobs: list[view.JobView]
    more: bool


class WatchedJob(view.JobView, frozen=True, kw_only=True):
    """An active job. `last_line`: the last line of its log, for the first running jobs."""

    last_line: str | None = None


class JobsOfTop(Shape, kw_only=True):
    """Jobs in the order of the table."""

    jobs: list[WatchedJob]


class JobsShown(Shape, kw_only=True):
    """The jobs in the order of the arguments; a list also for one job."""

    jobs: list[view.JobView]


class ExplainedJob(Shape, kw_only=True):
    """Why a job waits or failed. `cause` may be empty; `undelivered`: the number of events that the receiver does not have."""

    id: str
    what: str
    cause: str
    attempts: list[str]
    artifacts: list[str]
    last_lines: list[str]
    undelivered: int
    remedies: list[str]


class JobsExplained(Shape, kw_only=True):
    """The jobs in the order of the arguments; a list also for one job."""

    jobs: list[ExplainedJob]


class LogLineOf(view.LogLine, frozen=True, kw_only=True):
    """A line of a job's log."""

    id: str


class LogEndOf(Shape, kw_only=True):
    """The end of a job, after its last line."""

    id: str
    end: view.End


class RunLine(view.LogLine, frozen=True, kw_only=True):
    """A line of the job's log. `time` and `stream` are always present."""


class Waited(Shape, kw_only=True):
    """A job that has ended."""

    id: str
    status: str
    exit_code: int | None = None
    reason: str | None = None


class Bumped(Shape, kw_only=True):
    """The ids of the jobs that go before all others, or have the new priority."""

    bumped: list[str]


class Paused(Shape, kw_only=True):
    """The ids of the paused jobs."""

    paused: list[str]


class Resumed(Shape, kw_only=True):
    """The ids of the resumed jobs."""

    resumed: list[str]


class RemovedGroups(Shape, kw_only=True):
    """The names of the removed groups."""

    removed: list[str]


class RetriedJob(Shape, kw_only=True):
    """A job that runs the ended job `retried_from` anew."""

    id: str
    status: str
    retried_from: str
    uid: str = ""


class JobsRetried(Shape, kw_only=True):
    """The new jobs, in the order of the submission of the old ones."""

    jobs: list[RetriedJob]


class Cancelling(Shape, kw_only=True):
    """The ids of the jobs and sets that jobd cancels; they may not have ended yet."""

    cancelling: list[str]


class Removed(Shape, kw_only=True):
    """The ids of the removed jobs."""

    removed: list[str]


class Pruned(Shape, kw_only=True):
    """The ids of the removed jobs, or with --dry-run of the jobs to remove."""

    dry_run: bool
    removed: list[str]


class Copied(Shape, kw_only=True):
    """The destination and size of a copy."""

    target: str
    files: int
    bytes: int


class FetchedOutput(Shape, kw_only=True):
    """An output: its path in the workspace, and its local path."""

    path: str
    target: str


class Fetched(Shape, kw_only=True):
    """The fetched outputs of a job."""

    id: str
    outputs: list[FetchedOutput]


class ProblemOf(Shape, kw_only=True):
    """A problem of a job file; `line` and `column` where known."""

    field: str
    message: str
    line: int | None = None
    column: int | None = None


class Validated(Shape, kw_only=True):
    """Whether a job file is valid."""

    valid: bool
    problems: list[ProblemOf]


class CloudEvent(Shape, kw_only=True):
    """A CloudEvent 1.0, as sent to a callback; docs/events.md describes its data."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    jobsequence: int | None = None
    jobuid: str | None = None


class EventLine(Shape, kw_only=True):
    """An event with its number in the event stream."""

    seq: int
    event: CloudEvent


class Received(Shape, kw_only=True):
    """A received event. `verified` is null without a key; `again`: the event was received before."""

    received_at: str
    path: str
    verified: bool | None
    again: bool
    event: CloudEvent
    reason: str | None = None


class Replayed(Shape, kw_only=True):
    """The number of deliveries that jobd sends again: those in `deliveries`, or all given-up ones of the job `id`."""

    replayed: int
    deliveries: list[int] | None = None
    id: str | None = None


class Proof(Shape, kw_only=True):
    """One signature. `key`: the number of its key."""

    header: str
    holds: bool
    said: str
    key: int | str | None = None


class Verified(Shape, kw_only=True):
    """Whether the signatures of a body are valid."""

    verified: bool
    checks: list[Proof]
    reason: str | None = None


class Examined(Shape, kw_only=True):
    """One check; `remedy` where it failed."""

    name: str
    ok: bool
    found: str
    remedy: str | None = None


class Health(Shape, kw_only=True):
    """Whether all checks passed."""

    healthy: bool
    checks: list[Examined]


class Versions(Shape, kw_only=True):
    """The versions; `jobd` only where the daemon answered."""

    jobctl: str
    jobd: view.Version | None = None


class Failure(Shape, kw_only=True):
    """The error of a command, on standard error. `code` is stable; `field` is a path in the job's spec."""

    error: str
    code: str
    field: str | None = None
    hint: str | None = None


OUTPUTS: dict[str, tuple[tuple[type, ...], bool]] = {
    "run": ((Submitted, RunLine, view.LogEnd, SetView), True),
    "run -d": ((Submitted, SetSubmitted), False),
    "submit": ((Submitted, SetSubmitted), False),
    "sweep": ((SetView,), False),
    "sweep -d": ((SetSubmitted,), False),
    "sweep --dry-run": ((SetPlanned,), False),
    "sets": ((SetsOfList,), False),
    "ls": ((JobsOfList,), False),
    "ls --watch": ((view.JobView,), True),
    "top": ((JobsOfTop,), False),
    "show": ((JobsShown,), False),
    "explain": ((JobsExplained,), False),
    "logs": ((LogLineOf, LogEndOf), True),
    "wait": ((Waited, SetView), True),
    "bump": ((Bumped,), False),
    "pause": ((view.QueueView, Paused), False),
    "resume": ((view.QueueView, Resumed), False),
    "group": ((view.QueueView, view.GroupView, RemovedGroups), False),
    "retry": ((JobsRetried,), False),
    "cancel": ((Cancelling,), False),
    "rm": ((Removed,), False),
    "prune": ((Pruned,), False),
    "cp": ((Copied,), False),
    "fetch": ((Fetched,), False),
    "validate": ((Validated,), False),
    "events": ((EventLine,), True),
    "deliveries": ((view.DeliveryList,), False),
    "replay": ((Replayed,), False),
    "verify": ((Verified,), False),
    "listen": ((Received,), True),
    "doctor": ((Health,), False),
    "version": ((Versions,), False),
    "error": ((Failure,), True),
}
"""output -> the types of its values, and whether it has one value a line (NDJSON) instead of a single value"""
