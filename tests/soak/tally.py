"""How often each promise was checked and what was found against it. Pure."""

from dataclasses import dataclass, field

PROMISES = {
    1: "an acknowledged job is not lost",
    2: "a worker starts at most once an attempt",
    3: "events arrive, in order, with stable ids",
    4: "the exit code is the engine's",
    5: "the timeout ends the worker",
    6: "completed means outputs; complete is last",
    7: "nothing is left, deleted is gone",
    8: "logs are whole, or marked",
    9: "a broken receiver hurts itself alone",
    10: "a job does not reach jobd's API",
    11: "bad input is named and changes nothing",
    12: "memory and disk are bounded",
}


@dataclass(slots=True)
class Tally:
    """The checks made by promise, and the violations by promise, in words that name the job and the moment."""

    checks: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PROMISES, 0))
    violations: dict[int, list[str]] = field(default_factory=lambda: {number: [] for number in PROMISES})

    def check(self, promise: int, holds: bool, otherwise: str) -> None:
        """Counts one check; `otherwise` says what was found where it does not hold."""
        self.checks[promise] += 1
        if not holds:
            self.violations[promise].append(otherwise)

    def passed(self, promise: int, count: int) -> None:
        """Counts checks that held."""
        self.checks[promise] += count

    @property
    def failed(self) -> int:
        return sum(len(found) for found in self.violations.values())
