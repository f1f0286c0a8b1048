"""What the commands of the queue print."""

from scripts.manual.outputs.shape import Shape


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
