"""The types of the API's responses about sets of jobs."""

from jobd.wire.views.base import View


class SetView(View, frozen=True, kw_only=True):
    """A set of jobs: how many of them wait to start, run, and have ended. `finished_at`: the last end, absent while a job has not ended;
    `unreadable`: jobs with a damaged record, absent for 0.
    """

    id: str
    total: int
    waiting: int
    running: int
    completed: int
    failed: int
    cancelled: int
    created_at: str
    unreadable: int = 0
    finished_at: str | None = None


class SetList(View, frozen=True, kw_only=True):
    """One page of sets, newest first; `next` is the cursor of the next page. `sets` is always present."""

    sets: list[SetView]
    next: str | None = None


class SetCancelled(View, frozen=True, kw_only=True):
    """202 of `POST /v1/sets/{id}/cancel`. `jobs`: how many jobs end by this request; 0 if all had ended."""

    id: str
    status: str
    jobs: int
