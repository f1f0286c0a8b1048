"""The types of the API's responses about deliveries."""

import msgspec

from jobd.wire.views.base import View


class DeliveryView(View, frozen=True, kw_only=True):
    """The delivery of one event. `state`: pending, delivered, parked (jobd has given it up) or abandoned (the receiver responded 410)."""

    id: int
    event_id: str
    event_type: str
    state: str
    attempts: int
    job_id: str = ""
    job_uid: str = ""
    url: str = ""
    created_at: str | None = None
    next_attempt_at: str | None = None
    delivered_at: str | None = None
    last_status: int | None = None
    last_error: str | None = None


class DeliveryList(View, frozen=True, kw_only=True):
    """The deliveries of one job, oldest first."""

    deliveries: list[DeliveryView]
    next: str | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """202 of `POST /v1/jobs/{id}/deliveries/replay`: the number of deliveries that are pending again."""

    replayed: int
