"""The destination of a callback's URL: scheme, host and port, bounded in length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.events.delivery.queues.destination import DESTINATION_CHARACTERS, destination_of
from jobd.wire.validation.names import url_problem


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("http://Example.COM/hook?x=1", "http://example.com:80"),
        ("HTTPS://example.com", "https://example.com:443"),
        ("http://user:pass@h:8080/", "http://h:8080"),
        ("http://[2001:DB8::1]:81/", "http://[2001:db8::1]:81"),
    ],
)
def test_a_destination_is_scheme_host_and_port(url: str, destination: str) -> None:
    assert destination_of(url) == destination


@pytest.mark.parametrize("url", ["", "http://", "ftp://h/", "http://h:99999/", "nonsense"])
def test_a_url_without_a_destination_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        destination_of(url)


@given(
    st.text(min_size=1, max_size=9000).map(lambda host: f"https://{host}:65535/")
    | st.text("aäİ漢.", min_size=200, max_size=8000).map(lambda host: f"https://user@{host}/")
)
def test_the_destination_of_any_url_is_short(url: str) -> None:
    if url_problem(url) is None:
        assert len(destination_of(url)) <= DESTINATION_CHARACTERS
