"""Why a job waits: the first obstacle, as a code for metrics and as a sentence for people. Pure."""

from enum import StrEnum
from typing import NamedTuple


class WaitReason(StrEnum):
    """The obstacles, in the order in which they are checked."""

    DEPENDENCY = "dependency"
    PAUSED = "paused"
    GROUP_PAUSED = "group-paused"
    MACHINE = "machine"
    GROUP_LIMIT = "group-limit"
    PLACE = "place"
    GPUS = "gpus"
    MEMORY = "memory"
    CPUS = "cpus"
    TURN = "turn"


class Wait(NamedTuple):
    """An obstacle. `need` and `free`: the amounts, or the group's limit as `need`."""

    reason: WaitReason
    need: int = 0
    free: int = 0
