"""What the commands print that show jobs."""

from jobd.wire.views.job import JobView
from jobd.wire.views.log import End, LogLine
from jobd.wire.views.sets import SetView
from scripts.manual.outputs.shape import Shape


class SetsOfList(Shape, kw_only=True):
    """Sets of jobs, newest first. `more`: the daemon has more sets than --limit."""

    sets: list[SetView]
    more: bool


class SetEnded(SetView, frozen=True, kw_only=True):
    """A set whose jobs have ended. The numbers are those of each job's latest retry; `retried`: how many jobs failed before a retry."""

    retried: int = 0


class JobsOfList(Shape, kw_only=True):
    """Jobs, newest first. `more`: the daemon has more jobs than --limit."""

    jobs: list[JobView]
    more: bool


class WatchedJob(JobView, frozen=True, kw_only=True):
    """An active job. `last_line`: the last line of its log, for the first running jobs."""

    last_line: str | None = None


class JobsOfTop(Shape, kw_only=True):
    """Jobs in the order of the table."""

    jobs: list[WatchedJob]


class JobsShown(Shape, kw_only=True):
    """The jobs in the order of the arguments; a list also for one job."""

    jobs: list[JobView]


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


class LogLineOf(LogLine, frozen=True, kw_only=True):
    """A line of a job's log."""

    id: str


class LogEndOf(Shape, kw_only=True):
    """The end of a job, after its last line."""

    id: str
    end: End


class RunLine(LogLine, frozen=True, kw_only=True):
    """A line of the job's log. `time` and `stream` are always present."""
