"""Measures two things alternately within one run, so that the machine's load affects both equally.

Owns the budgets' form, the samples and their arithmetic. Knows no measured program.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """One row of the table of budgets.

    With `against`, `bound` limits the ratio ours / theirs; without, `bound` limits ours itself, in `unit`. `kind`: `at-most` for times
    and sizes, `at-least` for rates. `bound` None: the row is shown and has no budget.
    """

    name: str
    what: str
    against: str = ""
    bound: float | None = None
    kind: Literal["at-most", "at-least"] = "at-most"
    unit: str = "ms"


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float


@dataclass(slots=True)
class Result:
    """The samples of one budget, in its unit. With `against`, ours and theirs are pairs of consecutive measurements. `note`: further
    figures for people.
    """

    budget: Budget
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> Spread | None:
        """The ratios of the pairs; None for a row that is compared with nothing."""
        if not self.budget.against:
            return None
        return spread([a / b for a, b in zip(self.ours, self.theirs, strict=True)])

    @property
    def within(self) -> bool | None:
        """True if the budget is met; None for a row without a budget."""
        bound = self.budget.bound
        if bound is None:
            return None
        figure = (self.ratio or spread(self.ours)).median
        return figure <= bound if self.budget.kind == "at-most" else figure >= bound


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that this machine or this jobd cannot measure."""

    name: str
    why: str


Row = Result | Skipped


def spread(samples: Sequence[float]) -> Spread:
    """Returns the median and the quartiles of one or more samples."""
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0])
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(median, low, high)


def timed_ms(call: Callable[[], object]) -> float:
    """Returns how long one call takes, in milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def measure(
    budget: Budget, ours: Callable[[], float], theirs: Callable[[], float], pairs: int, limit_s: float
) -> Result:
    """Takes up to `pairs` pairs (at least two), in alternating order, and stops early once `limit_s` have passed."""
    result = Result(budget)
    deadline = time.monotonic() + limit_s
    for index in range(pairs):
        if index >= 2 and time.monotonic() > deadline:
            break
        first, second = (ours, theirs) if index % 2 == 0 else (theirs, ours)
        one, other = first(), second()
        result.ours.append(one if index % 2 == 0 else other)
        result.theirs.append(other if index % 2 == 0 else one)
    return result


def sample(budget: Budget, ours: Callable[[], float], count: int, limit_s: float) -> Result:
    """Takes up to `count` samples (at least two) of a row that is compared with nothing, and stops early once `limit_s` have passed."""
    result = Result(budget)
    deadline = time.monotonic() + limit_s
    while len(result.ours) < count and (len(result.ours) < 2 or time.monotonic() < deadline):
        result.ours.append(ours())
    return result
