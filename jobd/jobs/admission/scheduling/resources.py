"""Amounts of the resources that jobs share: places, CPU, memory and GPUs. Pure.

Amounts are integers, so that a sum of many jobs and their release is exactly zero.
"""

from typing import NamedTuple

from jobd.wire.job import DEFAULT_CPU, Gpus

ALL_GPUS = -1
"""A demand for every GPU of the machine."""

UNLIMITED = 1 << 62
"""The amount of a resource that nothing limits."""


class Amounts(NamedTuple):
    """An amount of each resource. `millicpus`: thousandths of a core."""

    places: int
    millicpus: int
    memory_mb: int
    gpus: int

    def fit(self, room: "Amounts") -> bool:
        """Returns whether there is room for all of these amounts. Nothing of a resource always has room, also where running jobs hold
        more of it than there is (the machine became smaller).
        """
        return (
            self.places <= max(0, room.places)
            and self.millicpus <= max(0, room.millicpus)
            and self.memory_mb <= max(0, room.memory_mb)
            and self.gpus <= max(0, room.gpus)
        )

    def plus(self, other: "Amounts") -> "Amounts":
        """Returns the sum."""
        return Amounts(
            self.places + other.places,
            self.millicpus + other.millicpus,
            self.memory_mb + other.memory_mb,
            self.gpus + other.gpus,
        )

    def minus(self, other: "Amounts") -> "Amounts":
        """Returns the difference, which may be negative."""
        return Amounts(
            self.places - other.places,
            self.millicpus - other.millicpus,
            self.memory_mb - other.memory_mb,
            self.gpus - other.gpus,
        )

    def without(self, reserved: "Amounts") -> "Amounts":
        """Returns the room beyond what is reserved: nothing of a resource that is not sufficient for the reservation."""
        return Amounts(
            max(0, self.places - reserved.places),
            max(0, self.millicpus - reserved.millicpus),
            max(0, self.memory_mb - reserved.memory_mb),
            max(0, self.gpus - reserved.gpus),
        )


NOTHING = Amounts(0, 0, 0, 0)


class Demand(NamedTuple):
    """What one job needs of the machine while it runs. `gpus` may be `ALL_GPUS`."""

    millicpus: int
    memory_mb: int
    gpus: int = 0

    def amounts(self, gpus_of_machine: int) -> Amounts:
        """Returns the amounts. A job for all GPUs needs at least one."""
        gpus = max(1, gpus_of_machine) if self.gpus == ALL_GPUS else self.gpus
        return Amounts(1, self.millicpus, self.memory_mb, gpus)


def demand_of(cpu: float, memory_mb: int, gpus: Gpus) -> Demand:
    """Returns what a job with these limits needs. A job with at most the default of one core needs no CPU of its own: the number
    of places, several for each core, limits such jobs.
    """
    millicpus = round(cpu * 1000) if cpu > DEFAULT_CPU else 0
    return Demand(millicpus, memory_mb, ALL_GPUS if gpus == "all" else gpus)


class Machine(NamedTuple):
    """What jobs may use at once. `gpus`: the ids of the devices; a job holds a device alone. `is_known`: False until the engine has
    told the cores and the memory; no job starts before that.
    """

    places: int
    millicpus: int = UNLIMITED
    memory_mb: int = UNLIMITED
    gpus: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def amounts(self) -> Amounts:
        """The amounts of an idle machine."""
        return Amounts(self.places, self.millicpus, self.memory_mb, len(self.gpus))
