"""Observed time: the time that has passed while the machine was on, over all runs of jobd, for retention and the age of deliveries.
It does not depend on the wall clock.

Observed time grows while jobd runs, and between two runs within one boot of the machine. Owns the counter and its row `seen`.
"""

import sqlite3

from jobd.clock import Clock


class ObservedTime:
    """The counter: the stored value plus the uptime since then."""

    def __init__(self, stored_ms: int, clock: Clock) -> None:
        self._clock = clock
        self._from_ms = stored_ms - _ms(clock.uptime())

    def now_ms(self) -> int:
        """Returns the observed time in milliseconds, over all runs."""
        return self._from_ms + _ms(self._clock.uptime())


def load(connection: sqlite3.Connection, clock: Clock) -> ObservedTime:
    """Returns the counter, continued from the highest stored value: of the counter itself, of the ends of jobs, and of the newest
    delivery.
    """
    ms, boot, uptime_ms = connection.execute("SELECT ms, boot, uptime_ms FROM seen").fetchone()
    if boot and boot == clock.boot:
        ms += max(0, _ms(clock.uptime()) - uptime_ms)
    for where in ("live = 0", "live = 1 AND finished_at IS NOT NULL"):
        last = connection.execute(f"SELECT max(ended_seen) FROM jobs WHERE {where}").fetchone()[0]  # noqa: S608 - no value
        ms = max(ms, last or 0)
    newest = connection.execute("SELECT created_seen FROM deliveries ORDER BY id DESC LIMIT 1").fetchone()
    ms = max(ms, newest[0] if newest else 0)
    return ObservedTime(ms, clock)


def save(connection: sqlite3.Connection, ms: int, clock: Clock) -> None:
    """Stores the counter."""
    connection.execute(
        "UPDATE seen SET ms = ?, boot = ?, uptime_ms = ?", (ms, clock.boot, _ms(clock.uptime()))
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
