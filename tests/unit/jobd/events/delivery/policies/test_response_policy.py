"""Each answer has one meaning; Retry-After is read in every form, and never trusted beyond a bound."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.events.delivery.policies.response_policy import (
    Abandon,
    Answer,
    Delivered,
    Park,
    Retry,
    decide,
    host_after,
    refuses_batch,
    retry_after_s,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LONGEST = 3600.0


def of(status: int, retry_after: str | None = None) -> object:
    return decide(Answer("answer", status, retry_after), NOW, LONGEST)


@given(st.integers(200, 299))
def test_success_is_2xx(status: int) -> None:
    assert of(status) == Delivered()


@given(st.integers(500, 599) | st.sampled_from([408, 425, 429]))
def test_a_transient_failure_is_retried(status: int) -> None:
    assert of(status, "7") == Retry(7.0, f"HTTP {status}")


@given(st.integers(300, 399))
def test_redirects_are_failures(status: int) -> None:
    decision = of(status, "7")
    assert isinstance(decision, Retry)
    assert decision.after_s is None
    assert "not followed" in decision.reason


@given(st.integers(400, 499).filter(lambda status: status not in (408, 410, 425, 429)))
def test_other_4xx_are_parked(status: int) -> None:
    assert of(status) == Park(f"HTTP {status}")


def test_gone_means_gone() -> None:
    assert of(410, "7") == Abandon("HTTP 410")


@pytest.mark.parametrize("kind", ["network", "timeout"])
def test_no_answer_is_retried(kind: str) -> None:
    assert decide(Answer(kind, text="why"), NOW, LONGEST) == Retry(None, "why")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["refused", "invalid"])
def test_an_invalid_request_is_parked(kind: str) -> None:
    assert decide(Answer(kind, text="why"), NOW, LONGEST) == Park("why")  # type: ignore[arg-type]


@given(st.integers(200, 699))
def test_an_answer_that_would_park_its_events_refuses_a_batch(status: int) -> None:
    assert refuses_batch(Answer("answer", status)) == isinstance(of(status), Park)


@pytest.mark.parametrize("kind", ["network", "timeout", "local", "refused", "invalid"])
def test_without_an_answer_no_batch_is_refused(kind: str) -> None:
    assert not refuses_batch(Answer(kind))  # type: ignore[arg-type]


@given(st.integers(100, 599))
def test_only_5xx_and_429_say_that_a_host_is_down(status: int) -> None:
    assert host_after(Answer("answer", status)) == ("down" if status >= 500 or status == 429 else "up")


def test_a_timeout_means_that_a_host_is_down_and_a_refusal_does_not() -> None:
    assert host_after(Answer("network")) == host_after(Answer("timeout")) == "down"
    assert host_after(Answer("refused")) == host_after(Answer("invalid")) == "unknown"


@given(st.integers(0, 10**9))
def test_seconds_are_read_and_clamped(seconds: int) -> None:
    assert retry_after_s(f" {seconds} ", NOW, LONGEST) == min(seconds, LONGEST)


@given(st.integers(-(10**6), 10**6))
def test_dates_are_read_and_clamped(seconds: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s(text, NOW, LONGEST) == min(max(seconds, 0), LONGEST)


@given(st.text(max_size=80) | st.from_regex(r"[0-9]{1,80}", fullmatch=True))
def test_any_text_gives_a_bounded_wait_or_none(text: str) -> None:
    seconds = retry_after_s(text, NOW, LONGEST)
    assert seconds is None or 0 <= seconds <= LONGEST


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "1.5", "²", "Wed, 99 Foo 2030 99:99:99 GMT", "nan", "inf"]
)
def test_nonsense_is_as_good_as_absent(text: str) -> None:
    assert retry_after_s(text, NOW, LONGEST) is None


def test_absurd_waits_are_clamped() -> None:
    assert retry_after_s("9" * 5000, NOW, LONGEST) == LONGEST
    assert retry_after_s("Fri, 31 Dec 9999 23:59:59 GMT", NOW, LONGEST) == LONGEST
    assert retry_after_s("Tue, 01 Jan 2030 00:00:05 -0000", NOW, LONGEST) == 5
