"""A delivery as clients see it."""

from dataclasses import replace
from datetime import UTC, datetime

from jobd.api.endpoints.deliveries import view
from jobd.store.tables.delivery_rows import Delivery
from jobd.wire.views.deliveries import DeliveryView

AT = datetime(2030, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
PENDING = Delivery(
    id=7,
    event_seq=7,
    job_uid="u",
    job_id="j",
    event_id="e",
    event_type="orchestrator.job.exit",
    url="http://host:1/path?token=secret&x=1",
    destination="http://host:1",
    state="pending",
    attempts=0,
    requeues=0,
    next_attempt_at=AT,
    created_at=AT,
    delivered_at=None,
    last_status=None,
    last_error=None,
)


def test_the_view_omits_the_url_query_because_it_may_contain_a_secret() -> None:
    assert view(PENDING) == DeliveryView(
        id=7,
        event_id="e",
        event_type="orchestrator.job.exit",
        state="pending",
        attempts=0,
        job_id="j",
        job_uid="u",
        url="http://host:1/path",
        created_at="2030-01-31T12:00:00.000005Z",
        next_attempt_at="2030-01-31T12:00:00.000005Z",
    )
    assert "secret" not in str(view(PENDING))
    assert "secret" not in view(replace(PENDING, url="http://user:secret@host/path#secret")).url


def test_the_view_shows_the_state_of_a_delivery() -> None:
    delivered = view(
        replace(PENDING, state="delivered", next_attempt_at=None, delivered_at=AT, last_status=204)
    )
    assert (delivered.next_attempt_at, delivered.delivered_at) == (None, "2030-01-31T12:00:00.000005Z")
    parked = view(
        replace(PENDING, state="parked", next_attempt_at=None, last_status=400, last_error="HTTP 400")
    )
    assert (parked.state, parked.last_status, parked.last_error) == ("parked", 400, "HTTP 400")
