"""The number of checks of each promise, and the violations. Pure."""

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
    9: "a broken receiver affects only itself",
    10: "a job does not reach jobd's API",
    11: "bad input is named and changes nothing",
    12: "memory and disk are bounded",
}


@dataclass(slots=True)
class CheckResults:
    """The checks and the violations by promise; each violation names the job and the time."""

    checks: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PROMISES, 0))
    violations: dict[int, list[str]] = field(default_factory=lambda: {number: [] for number in PROMISES})

    def check(self, promise: int, holds: bool, otherwise: str) -> None:
        """Counts one check; if it does not hold, `otherwise` describes the violation."""
        self.checks[promise] += 1
        if not holds:
            self.violations[promise].append(otherwise)

    def passed(self, promise: int, count: int) -> None:
        """Counts checks that hold."""
        self.checks[promise] += count

    @property
    def failed(self) -> int:
        return sum(len(found) for found in self.violations.values())

    def all_violations(self) -> list[str]:
        """Returns each violation with its promise."""
        return [f"promise {number}: {text}" for number, found in self.violations.items() for text in found]
