"""The dispatcher's settings. Owns the numbers and their defaults; `settings/config.py` reads the variables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DispatcherSettings:
    """Seconds and counts; each of the first nine is a `DISPATCHER_*` variable.

    `buffer_size`: deliveries in memory, more wait on disk. `workers`: requests at once, to all hosts together.
    `max_retries`: further tries after the first, in one round. `max_requeues`: further rounds, then the delivery is parked.
    `max_retry_after_s`: the longest wait that a receiver may request. `max_age_s`: an older delivery is parked while its host stays
    down. `record_after_s`: a 2xx is stored after this time at the latest, together with others; earlier if its job waits for that.
    """

    buffer_size: int = 10_000
    workers: int = 10
    http_timeout_s: float = 10.0
    max_retries: int = 3
    initial_backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    breaker_threshold: int = 5
    breaker_cooldown_s: float = 30.0
    max_requeues: int = 10
    max_retry_after_s: float = 3600.0
    max_age_s: float = 72 * 3600.0
    record_after_s: float = 0.02
