"""The scheduler's entries: a job that waits, and a job that holds its resources. Pure data."""

from typing import NamedTuple

from jobd.jobs.admission.scheduling.lanes import Key, Lane
from jobd.jobs.admission.scheduling.resources import Amounts, Demand


class Waiting(NamedTuple):
    """A job that waits: its place in the order, and the lane of the jobs that need the same."""

    key: Key
    lane: Lane


class Holding(NamedTuple):
    """A job that holds its resources. `amounts`: what they take of the machine."""

    group: str
    demand: Demand
    gpus: tuple[str, ...]
    amounts: Amounts
