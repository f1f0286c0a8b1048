"""Measures two things alternately within one run, so that the machine's load affects both equally.

Owns the arithmetic and the table. Knows no measured program.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """One row of the budget table. `bound` limits the ratio ours / theirs, `at-most` for times, `at-least` for rates."""

    number: str
    what: str
    against: str
    bound: float
    kind: Literal["at-most", "at-least"] = "at-most"
    unit: str = "ms"


@dataclass(slots=True)
class Result:
    """The samples of one budget, in its unit, as pairs of consecutive measurements."""

    budget: Budget
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def within(self) -> bool:
        """True if the budget is met."""
        return (
            self.ratio <= self.budget.bound
            if self.budget.kind == "at-most"
            else self.ratio >= self.budget.bound
        )

    def as_json(self) -> dict[str, object]:
        """Returns the figures and all samples."""
        return {
            "id": self.budget.number,
            "what": self.budget.what,
            "against": self.budget.against,
            "unit": self.budget.unit,
            "ours_median": statistics.median(self.ours),
            "theirs_median": statistics.median(self.theirs),
            "ratio": self.ratio,
            "budget": {self.budget.kind: self.budget.bound},
            "within": self.within,
            "ours": self.ours,
            "theirs": self.theirs,
        }


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


def table(results: list[Result]) -> str:
    """Returns the results as lines for a person."""
    rows = [("", "what", "ours", "the other", "ratio", "budget", "", "pairs")]
    for result in results:
        budget, unit = result.budget, result.budget.unit
        sign = "<=" if budget.kind == "at-most" else ">="
        figures = (
            f"{statistics.median(result.ours):.1f} {unit}",
            f"{statistics.median(result.theirs):.1f} {unit}",
        )
        verdict = "ok" if result.within else "OVER" if budget.kind == "at-most" else "UNDER"
        ratio, bound = f"{result.ratio:.2f}x", f"{sign} {budget.bound}x"
        rows.append(
            (
                budget.number,
                f"{budget.what} / {budget.against}",
                *figures,
                ratio,
                bound,
                verdict,
                str(len(result.ours)),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
