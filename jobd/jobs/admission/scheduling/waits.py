"""Why a job waits: the first obstacle, as a code for metrics and as a sentence for people. Pure."""

from enum import StrEnum
from typing import NamedTuple


class WaitReason(StrEnum):
    """The obstacles, in the order in which they are checked."""

    JOB_PAUSED = "job-paused"
    DEPENDENCY = "dependency"
    PAUSED = "paused"
    GROUP_PAUSED = "group-paused"
    ENGINE = "engine"
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


def sentence(wait: Wait, group: str) -> str:
    """Returns what a job of this group waits for, as the object of "waits for"."""
    match wait.reason:
        case WaitReason.JOB_PAUSED:
            return "the job to be resumed"
        case WaitReason.DEPENDENCY:
            return "the end of other jobs"
        case WaitReason.PAUSED:
            return "the queue to be resumed"
        case WaitReason.GROUP_PAUSED:
            return f"group {group!r} to be resumed"
        case WaitReason.ENGINE:
            return "the container engine to answer"
        case WaitReason.MACHINE:
            return "more than this machine has now"
        case WaitReason.GROUP_LIMIT:
            return f"a free place in group {group!r}, which runs {wait.need} at once"
        case WaitReason.PLACE:
            return "a free place"
        case WaitReason.GPUS:
            return f"{wait.need} GPU{'s' * (wait.need != 1)}, of which {wait.free} {_be(wait.free)} free"
        case WaitReason.MEMORY:
            return f"{wait.need} MB of memory, of which {wait.free} MB are free"
        case WaitReason.CPUS:
            free = wait.free / 1000
            return f"{wait.need / 1000:g} cores, of which {free:g} {_be(free)} free"
        case WaitReason.TURN:
            return "its turn"


def _be(count: float) -> str:
    return "is" if count == 1 else "are"
