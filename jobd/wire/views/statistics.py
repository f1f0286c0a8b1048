"""The types of the API's response about ended jobs in numbers."""

from jobd.wire.views.base import View


class Times(View, frozen=True, kw_only=True):
    """The seconds that `jobs` jobs were in a phase. The percentiles are exact: each is the time of a job."""

    jobs: int
    p50: float
    p90: float
    p99: float
    max: float
    total: float


class Numbers(View, frozen=True, kw_only=True):
    """Ended jobs in numbers. `success_rate`: completed ones among completed and failed ones, absent without any. `reasons`: of the failed
    ones. A phase is absent if no job had it, or if its time is not known: jobd did not store the times of phases in earlier versions.
    """

    jobs: int
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = None
    reasons: dict[str, int] = {}
    waiting: Times | None = None
    pulling: Times | None = None
    inputs: Times | None = None
    running: Times | None = None
    outputs: Times | None = None


class NumbersOfKey(Numbers, frozen=True, kw_only=True):
    """The jobs with one image, group or label."""

    key: str


class Interval(View, frozen=True, kw_only=True):
    """The jobs that ended in one interval of time."""

    start: str
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class Statistics(View, frozen=True, kw_only=True):
    """The jobs that ended from `since` to `until` and whose records jobd still has: a record is kept for `retention_seconds` after the job's end,
    and until somebody removes the job. `since` is absent where all are counted; `oldest`: the first end that is counted. `truncated`: there
    are older ones, which are not counted. `groups`: by `by`, those with the most jobs first; `others`: the jobs of all other keys together.
    """

    until: str
    retention_seconds: float
    total: Numbers
    intervals: list[Interval]
    since: str | None = None
    oldest: str | None = None
    truncated: bool = False
    by: str | None = None
    groups: list[NumbersOfKey] | None = None
    others: Numbers | None = None
