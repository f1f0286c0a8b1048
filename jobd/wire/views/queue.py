"""The types of the API's responses about the queue and its groups."""

from jobd.wire.views.base import View


class GroupView(View, frozen=True, kw_only=True):
    """A group of jobs. `limit`: how many of its jobs may run at once, absent where there is no limit; `paused`: none may start.
    `running_paused`: its running jobs are paused too; `temporary`: jobd removes the settings an hour after the last job.
    """

    name: str
    running: int
    waiting: int
    limit: int | None = None
    paused: bool = False
    running_paused: bool = False
    temporary: bool = False


class QueueView(View, frozen=True, kw_only=True):
    """The queue. `limit`: how many jobs may run at once; `paused`: no job of any group may start; `groups`: those with settings or jobs.
    `running_paused`: the running jobs are paused too.
    """

    limit: int
    running: int
    waiting: int
    groups: list[GroupView]
    paused: bool = False
    running_paused: bool = False
