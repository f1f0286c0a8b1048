"""Waits are spread over a bound that doubles up to a limit; retries, then requeues, then parked."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobd.events.delivery.policies.response_policy import Abandon, Answer, Delivered, Park, Retry
from jobd.events.delivery.policies.retry_policy import backoff_bound_s, backoff_s, settlement
from jobd.events.delivery.settings import DispatcherSettings
from jobd.store.tables.delivery_rows import Settlement
from tests.unit.jobd.events.delivery.queues.test_destination_queues import NOW, due

SETTINGS = DispatcherSettings(initial_backoff_s=1, max_backoff_s=8, max_retries=2, max_requeues=1)
BUSY = Answer("answer", 503)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.001, 10), st.floats(0.001, 100))
def test_a_wait_stays_below_its_bound(tries: int, spread: float, initial: float, longest: float) -> None:
    settings = DispatcherSettings(initial_backoff_s=initial, max_backoff_s=longest)
    assert 0 <= backoff_s(tries, settings, lambda: spread) <= backoff_bound_s(tries, settings) <= longest
    assert backoff_bound_s(tries, settings) <= backoff_bound_s(tries + 1, settings)


def test_the_bound_doubles_to_its_limit() -> None:
    settings = DispatcherSettings(initial_backoff_s=0.1, max_backoff_s=1.0)
    bounds = [round(backoff_bound_s(tries, settings), 3) for tries in range(6)]
    assert bounds == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_wait_uses_the_whole_of_its_bound() -> None:
    assert backoff_s(2, SETTINGS, lambda: 0.0) == 0
    assert backoff_s(2, SETTINGS, lambda: 0.5) == 2


def after(tries: int, requeues: int, retry: Retry, spread: float = 0.5) -> Settlement:
    delivery = replace(due("j"), tries=tries, requeues=requeues)
    return settlement(delivery, BUSY, retry, NOW, 7_000, SETTINGS, lambda: spread, ahead=7)


@pytest.mark.parametrize(
    ("tries", "requeues", "outcome", "wait_s"),
    [
        (0, 0, "retry", 0.5),
        (1, 0, "retry", 1.0),
        (2, 0, "requeue", 30 * 1.125),
        (1, 1, "retry", 1.0),
        (2, 1, "park", None),
        (9, 9, "park", None),
    ],
)
def test_a_failed_try_is_retried_then_requeued_then_parked(
    tries: int, requeues: int, outcome: str, wait_s: float | None
) -> None:
    found = after(tries, requeues, Retry(None, "HTTP 503"))
    assert (found.outcome, found.status, found.at) == (outcome, 503, NOW)
    assert found.next_attempt_at == (None if wait_s is None else NOW + timedelta(seconds=wait_s))
    assert found.next_ms == (None if wait_s is None else 7_000 + wait_s * 1000)


@given(st.integers(0, 2), st.floats(0, 3600), st.floats(0, 1, exclude_max=True))
def test_retry_after_only_makes_a_wait_longer(tries: int, asked_s: float, spread: float) -> None:
    planned = after(tries, 0, Retry(None, "busy"), spread).next_attempt_at
    found = after(tries, 0, Retry(asked_s, "busy"), spread).next_attempt_at
    assert planned is not None
    assert found == max(planned, NOW + timedelta(seconds=asked_s))


def test_a_parked_delivery_says_after_how_many_rounds() -> None:
    assert after(2, 1, Retry(None, "HTTP 503")).error == "gave up after 2 rounds: HTTP 503"


@pytest.mark.parametrize(("kind", "sent"), [("answer", True), ("refused", False), ("invalid", False)])
def test_only_a_request_that_was_made_counts_as_sent(kind: str, sent: bool) -> None:
    answer = Answer(kind)  # type: ignore[arg-type]
    found = settlement(due("j"), answer, Park("why"), NOW, 0, SETTINGS, lambda: 0.0)
    assert (found.outcome, found.sent, found.error) == ("park", sent, "why")


def test_a_delivered_one_and_an_abandoned_one_have_no_next_try() -> None:
    delivered = settlement(due("j"), Answer("answer", 204), Delivered(), NOW, 0, SETTINGS, lambda: 0.0)
    abandoned = settlement(
        due("j"), Answer("answer", 410), Abandon("HTTP 410"), NOW, 0, SETTINGS, lambda: 0.0
    )
    assert (delivered.outcome, delivered.next_attempt_at) == ("delivered", None)
    assert (abandoned.outcome, abandoned.next_attempt_at) == ("abandon", None)
