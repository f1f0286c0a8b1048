"""How fast bytes move and how long the rest takes, from what was seen so far. Pure; the time is an argument."""

from collections import deque

from jobctl.units import bytes_text, short_duration

WINDOW_S = 15.0
MOST_SAMPLES = 64
LONGEST_LEFT_S = 86400.0
"""A longer time is no estimate that helps."""


class Rate:
    """The rate over the last seconds. Keeps `MOST_SAMPLES` samples."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=MOST_SAMPLES)

    def add(self, now_s: float, done: int) -> None:
        """Adds how many bytes had moved at `now_s`. Fewer bytes than before are another transfer."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now_s, done))
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - WINDOW_S:
            self._samples.popleft()

    @property
    def bytes_per_s(self) -> float:
        """The rate; 0 while there are too few samples."""
        if not self._samples:
            return 0.0
        (begun, before), (now, done) = self._samples[0], self._samples[-1]
        return (done - before) / (now - begun) if now > begun else 0.0


def moved_text(done: int, total: int | None, bytes_per_s: float) -> str:
    """Returns `1.0 MiB of 4.0 MiB  512.0 KiB/s  about 6s left`; what is unknown is left out."""
    parts = [bytes_text(done) + (f" of {bytes_text(max(total, done))}" if total else "")]
    if bytes_per_s > 0:
        parts.append(f"{bytes_text(int(bytes_per_s))}/s")
        left_s = (total - done) / bytes_per_s if total and total > done else 0.0
        if 0 < left_s <= LONGEST_LEFT_S:
            parts.append(f"about {short_duration(left_s)} left")
    return "  ".join(parts)
