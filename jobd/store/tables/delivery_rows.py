"""The store's types of deliveries: what is listed, what is due, what became of it, and what is due next.

jobd makes thousands of them a second: most are msgspec structs, since making one takes a fifth of the time that a frozen dataclass takes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

DeliveryState = Literal["pending", "delivered", "parked", "abandoned"]
Outcome = Literal["delivered", "retry", "requeue", "park", "abandon"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one event to the job's callback, as people see it.

    `id` equals `event_seq`. `attempts` counts tries, `requeues` failed rounds of tries. `next_attempt_at` is None while
    an earlier delivery of the job is pending, and where the delivery itself is not pending.
    """

    id: int
    event_seq: int
    job_uid: str
    job_id: str
    event_id: str
    event_type: str
    url: str
    destination: str
    state: DeliveryState
    attempts: int
    requeues: int
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    last_status: int | None
    last_error: str | None


class Due(msgspec.Struct, frozen=True):
    """The first pending delivery of its job, for the dispatcher. `tries` counts the requests of the current round.

    `body` is empty where the stored body or the callback is damaged, and None where the body is long: `Store.delivery_body` reads it
    just before the request. `ahead`: the job's following deliveries, in order, as far as requested, each with its short body.
    `body_bytes`: the length of a body that was not read yet. `due_ms`: the observed time from which on the delivery is due. `repr`
    shows no key and no body.
    """

    id: int
    job_uid: str
    job_id: str
    event_id: str
    event_type: str
    url: str
    key: str | None
    destination: str
    tries: int
    requeues: int
    created_at: datetime
    due_ms: int
    body: bytes | None
    batch: bool = False
    ahead: tuple["Due", ...] = ()
    body_bytes: int = 0

    def __repr__(self) -> str:
        return f"Due(id={self.id}, job_uid={self.job_uid!r}, event_id={self.event_id!r}, destination={self.destination!r})"


@dataclass(frozen=True, slots=True)
class DestinationDue:
    """One destination with pending deliveries, and the observed time from which on its first one is due."""

    destination: str
    due_ms: int


class Settlement(msgspec.Struct, frozen=True):
    """The result of one delivery at the time `at`.

    `delivered`: the receiver accepted the event. `retry`: the round continues at `next_attempt_at`. `requeue`: the round has failed,
    and a new one begins at `next_attempt_at`. `park`: jobd gives this delivery up, and the job's next one becomes due. `abandon`:
    the receiver refuses all further events, so jobd gives up all pending deliveries of the job. `sent`: False where jobd made no
    request. `follow`: `settle` returns the job's next delivery, with up to `ahead` of the deliveries behind that. `next_ms`:
    `next_attempt_at` as observed time, which decides; people read `next_attempt_at`.
    """

    delivery_id: int
    outcome: Outcome
    at: datetime
    next_attempt_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    sent: bool = True
    follow: bool = True
    ahead: int = 0
    next_ms: int | None = None


class Settled(msgspec.Struct, frozen=True):
    """The outcome of a settlement: the job's next pending delivery, if any, and the number of other deliveries abandoned with it."""

    following: Due | None
    abandoned: int = 0
