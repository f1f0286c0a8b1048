"""What the commands print that run, repeat, end and check jobs, and that copy files of jobs."""

from typing import Any

from scripts.manual.outputs.shape import Shape


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


class Waited(Shape, kw_only=True):
    """A job that has ended."""

    id: str
    status: str
    exit_code: int | None = None
    reason: str | None = None


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
