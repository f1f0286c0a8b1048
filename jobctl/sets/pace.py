"""The progress of a set as text, and how long the rest takes. Pure; the time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from jobctl.units import short_duration

WINDOW = 120
"""So many observations count for the pace: it follows jobs that become slower."""
NUMBERS = ("total", "waiting", "running", "completed", "failed", "cancelled")


class Pace:
    """How fast jobs end, from what was seen so far. Keeps `WINDOW` observations."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def add(self, now: float, ended: int) -> None:
        """Adds an observation: how many jobs had ended at `now`, in monotonic seconds."""
        if not self._seen or self._seen[-1][1] != ended or now - self._seen[-1][0] >= 1:
            self._seen.append((now, ended))

    def left_s(self, now: float, remaining: int) -> float | None:
        """Returns about how many seconds `remaining` jobs take, None as long as no job was seen to end."""
        if not self._seen or not remaining:
            return None
        began, before = self._seen[0]
        ended = self._seen[-1][1] - before
        return (now - began) / ended * remaining if ended > 0 and now > began else None


def has_ended(view: Mapping[str, Any]) -> bool:
    """Returns whether all jobs of a set have ended."""
    return not (view.get("waiting") or view.get("running"))


def ended_count(view: Mapping[str, Any]) -> int:
    """Returns how many jobs of a set have ended."""
    return sum(int(view.get(name) or 0) for name in ("completed", "failed", "cancelled", "unreadable"))


def line(view: Mapping[str, Any], left_s: float | None) -> str:
    """Returns the progress of a set: `S  12 of 60 done, 1 failed, 4 running, 44 waiting, about 3m left`."""
    parts = [f"{ended_count(view)} of {view.get('total', 0)} done"]
    parts += [
        f"{view[name]} {name}"
        for name in ("failed", "cancelled", "unreadable", "running", "waiting")
        if view.get(name)
    ]
    if left_s is not None:
        parts.append(f"about {short_duration(left_s)} left")
    return f"{view.get('id', '')}  {', '.join(parts)}"


def summary(view: Mapping[str, Any]) -> str:
    """Returns how the jobs of a set have ended: `57 completed, 3 failed`; with the `retried` of `outcome.py` also `2 failed before a retry`."""
    parts = [
        f"{view[name]} {name}"
        for name in ("completed", "failed", "cancelled", "unreadable")
        if view.get(name)
    ]
    if view.get("retried"):
        parts.append(f"{view['retried']} failed before a retry")
    return ", ".join(parts) or "no jobs"
