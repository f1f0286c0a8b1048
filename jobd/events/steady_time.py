"""The wall clock without steps that may be mistakes: what an event's age is counted by.

Owns the correction for a wall clock that is set ahead: a step forward counts as no time, until it has stood for
`BELIEVED_S`. A step back is believed at once, since it makes no event older. Time in which the machine sleeps has passed.
"""

from datetime import datetime, timedelta

from jobd.clock import Clock

STEP_S = 60.0
"""Less than this between two looks is how clocks are kept right, and is believed."""
BELIEVED_S = 86_400.0


class SteadyTime:
    """Compares the wall clock with the time since boot at each call of `now`, which is to be called every now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.offset()
        self._ahead_s = 0.0
        self._ahead_since = 0.0

    def now(self) -> datetime:
        """Returns the wall clock's time less a step forward that is not believed yet: never later than the wall clock."""
        ahead_s = self._clock.offset() - self._offset
        monotonic = self._clock.monotonic()
        if abs(ahead_s - self._ahead_s) > STEP_S:  # a further step: what stands now stands since now
            self._ahead_since = monotonic
        if ahead_s <= STEP_S or monotonic - self._ahead_since >= BELIEVED_S:
            self._offset += ahead_s
            ahead_s = 0.0
        self._ahead_s = ahead_s
        return self._clock.now() - timedelta(seconds=ahead_s)
