"""Retry decisions, and that no secret of a URL is shown."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.transfer.retry import Pace, backoff_s, retry_after_s, safe_url

SECRETS = st.text("sEcRt0123", min_size=5, max_size=12)


@given(SECRETS, SECRETS, SECRETS)
def test_a_printed_url_has_no_user_password_query_or_fragment(user: str, password: str, query: str) -> None:
    shown = safe_url(f"https://{quote(user)}:{quote(password)}@host:8443/path/x?sig={query}#{query}")
    assert shown == "https://host:8443/path/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://[::1]:80/x?y", "http://[::1]:80/x"),
        ("http://host:99999/x?secret", "(a URL that cannot be read)"),
        ("http://[bad/x?secret", "(a URL that cannot be read)"),
    ],
)
def test_odd_urls_are_shown_without_secrets(url: str, shown: str) -> None:
    assert safe_url(url) == shown


@given(st.integers(1, 500), st.floats(0, 1))
def test_a_delay_grows_up_to_its_limit(failures: int, share: float) -> None:
    pace = Pace()
    pause_s = backoff_s(pace, failures, None, share)
    assert 0 <= pause_s <= pace.longest_backoff_s
    assert backoff_s(pace, failures, None, 1.0) <= backoff_s(pace, failures + 1, None, 1.0)


@given(st.floats(allow_nan=False), st.floats(0, 1))
def test_the_servers_delay_has_a_limit(asked_s: float, share: float) -> None:
    assert 0 <= backoff_s(Pace(), 1, asked_s, share) <= Pace().longest_retry_after_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("9" * 400, 999_999_999.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after_in_both_notations(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now_s=10.0) == seconds
