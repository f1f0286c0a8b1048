"""How much time jobd has seen pass: what retention and the age of deliveries count by. The wall clock has no part in it.

Counted while jobd runs, and from one run to the next within one boot of the machine. Time while the machine was off is not seen.
Owns the count and its row.
"""

import sqlite3

from jobd.clock import Clock


class SeenTime:
    """`now_ms` grows with the time since boot, from what was stored on."""

    def __init__(self, stored_ms: int, clock: Clock) -> None:
        self._clock = clock
        self._from_ms = stored_ms - _ms(clock.uptime())

    def now_ms(self) -> int:
        """Returns the milliseconds seen so far, over all runs."""
        return self._from_ms + _ms(self._clock.uptime())


def load(connection: sqlite3.Connection, clock: Clock) -> SeenTime:
    """Returns the count as it goes on now. What was seen last is known by the count itself, and by the jobs that ended and
    the delivery that was made since.
    """
    ms, boot, uptime_ms = connection.execute("SELECT ms, boot, uptime_ms FROM seen").fetchone()
    if boot and boot == clock.boot:
        ms += max(0, _ms(clock.uptime()) - uptime_ms)
    for where in ("live = 0", "live = 1 AND finished_at IS NOT NULL"):
        last = connection.execute(f"SELECT max(ended_seen) FROM jobs WHERE {where}").fetchone()[0]  # noqa: S608 - no value
        ms = max(ms, last or 0)
    newest = connection.execute("SELECT created_seen FROM deliveries ORDER BY id DESC LIMIT 1").fetchone()
    ms = max(ms, newest[0] if newest else 0)
    return SeenTime(ms, clock)


def keep(connection: sqlite3.Connection, ms: int, clock: Clock) -> None:
    """Stores the count."""
    connection.execute(
        "UPDATE seen SET ms = ?, boot = ?, uptime_ms = ?", (ms, clock.boot, _ms(clock.uptime()))
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
