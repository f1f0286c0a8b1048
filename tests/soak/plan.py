"""The schedule of a soak from a seed: when which jobs are submitted, what their user does, and which faults occur. Pure.

The same seed always gives the same plan; a longer plan starts with the shorter one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

DAY_S = 86400.0

Doing = Literal["cancel", "delete", "both"]
Moment = Literal["at-once", "running", "ended"]
Follow = Literal["", "reads", "slow", "leaves"]


@dataclass(frozen=True, slots=True)
class Action:
    """What a user does to a job, `delay_s` after the moment. `both`: cancel and delete at the same time."""

    doing: Doing
    moment: Moment
    delay_s: float


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job and its user's actions. Each kind derives its code, length or size from the number `value`."""

    at_s: float
    number: int
    kind: str
    value: int
    receiver: str
    batch: bool
    repeats: int
    follow: Follow
    action: Action | None


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault, its duration, and a number whose meaning depends on the fault."""

    at_s: float
    kind: str
    seconds: float
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole soak."""

    seed: int
    seconds: float
    jobs: tuple[PlannedJob, ...]
    faults: tuple[PlannedFault, ...]


KINDS: dict[str, int] = {
    "zero": 12,
    "code": 8,
    "killed": 9,
    "out-of-memory": 2,
    "timeout": 5,
    "timeout-ignored": 3,
    "long": 8,
    "long-ignores": 2,
    "retried": 5,
    "artifacts": 10,
    "on-failure": 4,
    "output-missing": 4,
    "input-missing": 3,
    "upload-refused": 2,
    "local-files": 6,
    "secret": 5,
    "flood": 4,
    "no-image": 2,
    "no-command": 3,
    "big": 3,
    "intruder": 3,
    "invalid": 4,
}
"""Each kind of job and its weight. `kinds.py` makes the jobs."""

RECEIVERS = {"good": 10, "flaky": 3, "slow": 2, "resets": 2, "dead": 2, "none": 3}

FAULTS: dict[str, tuple[int, float, float]] = {
    "kill": (10, 0.0, 2.0),
    "term": (5, 0.0, 1.0),
    "stop": (4, 1.0, 6.0),
    "cut-events": (8, 0.0, 5.0),
    "cut-logs": (6, 0.0, 4.0),
    "cut-attach": (3, 0.0, 3.0),
    "cut-all": (4, 0.0, 3.0),
    "slow-readers": (4, 4.0, 10.0),
    "engine-down": (3, 0.5, 5.0),
    "lose": (8, 6.0, 6.0),
    "delay": (6, 1.0, 4.0),
    "late-start": (5, 9.0, 13.0),
    "clock": (7, 0.0, 0.0),
    "disk-full": (4, 3.0, 8.0),
    "delete-burst": (5, 0.0, 0.0),
    "cancel-delete-burst": (5, 0.0, 0.0),
}
"""Each fault: its weight, and its shortest and longest duration."""

CLOCK_STEPS_S = (180.0, 3600.0, DAY_S, 8 * DAY_S, 8 * DAY_S, -600.0, -DAY_S)
JOB_GAP_S, FAULT_GAP_S = 1.1, 5.0
FIRST_FAULT_S = 3.0


def make_plan(seed: int, seconds: float, *, can_fill_disk: bool = True) -> Plan:
    """Returns the plan of a soak whose faults last `seconds`."""
    jobs = _jobs(random.Random(f"{seed} jobs"), seconds)
    faults = _faults(random.Random(f"{seed} faults"), seconds, can_fill_disk)
    return Plan(seed, seconds, tuple(jobs), tuple(faults))


def _jobs(dice: random.Random, seconds: float) -> Iterator[PlannedJob]:
    at_s, number = 0.0, 0
    while at_s < seconds:
        yield _job(dice, at_s, number)
        number += 1
        at_s += dice.expovariate(1 / JOB_GAP_S)


def _faults(dice: random.Random, seconds: float, can_fill_disk: bool) -> Iterator[PlannedFault]:
    """First each fault once, so that a short soak has all of them, then by weight."""
    names = [name for name in FAULTS if can_fill_disk or name != "disk-full"]
    weights = [FAULTS[name][0] for name in names]
    first = dice.sample(names, len(names))
    at_s, clock_s = FIRST_FAULT_S, 0.0
    while at_s < seconds:
        kind = first.pop() if first else dice.choices(names, weights)[0]
        _, least, most = FAULTS[kind]
        value = float(dice.randrange(1 << 16))
        if kind == "clock":
            # A step away, forward more often than back, and the correct time again at every other step.
            value = clock_s = 0.0 if clock_s else dice.choice(CLOCK_STEPS_S)
        fault = PlannedFault(at_s, kind, dice.uniform(least, most), value)
        yield fault
        at_s += fault.seconds + dice.expovariate(1 / FAULT_GAP_S)


def _job(dice: random.Random, at_s: float, number: int) -> PlannedJob:
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    receiver = dice.choices(list(RECEIVERS), list(RECEIVERS.values()))[0]
    if kind == "flood" and receiver not in ("good", "none"):
        receiver = "good"
    chance = dice.random()
    action: Action | None = None
    if kind.startswith("long"):
        action = Action(dice.choice(("cancel", "cancel", "both", "delete")), "running", dice.uniform(0, 2))
    elif kind != "invalid" and chance < 0.3:
        doing: Doing = dice.choice(("cancel", "delete", "delete", "delete", "both"))
        moment: Moment = dice.choice(("at-once", "at-once", "running", "ended"))
        action = Action(doing, moment, dice.uniform(0, 3))
    follow: Follow = dice.choices(("", "reads", "slow", "leaves"), (12, 3, 2, 1))[0]
    return PlannedJob(
        at_s=at_s,
        number=number,
        kind=kind,
        value=dice.randrange(1 << 16),
        receiver=receiver,
        batch=dice.random() < 0.3,
        repeats=dice.choice((0, 0, 0, 1, 2)),
        follow=follow,
        action=action,
    )
