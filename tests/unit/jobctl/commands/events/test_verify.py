"""The headers that `verify` is given: one by one, or as a tool has saved them."""

from pathlib import Path

import pytest

from jobctl.commands.events.verify import headers_of
from jobctl.errors import LocalFile, Misuse


def test_headers_by_flag_and_by_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text('POST /hook HTTP/1.1\r\nWebhook-Id: a\r\nX-Signature-256:sha256=1\r\n\r\n{"no": 1}\n')
    found = headers_of([f"@{file}", "Webhook-Timestamp:  5 ", "WEBHOOK-ID: b:c"])
    assert found == {
        "webhook-id": "b:c",
        "x-signature-256": "sha256=1",
        "webhook-timestamp": "5",
        '{"no"': "1}",
    }


@pytest.mark.parametrize("text", ["", "no colon", ": value", "two words: x"])
def test_an_invalid_header_is_refused(text: str) -> None:
    with pytest.raises(Misuse, match="NAME: VALUE"):
        headers_of([text])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalFile, match="cannot be read"):
        headers_of([f"@{tmp_path / 'none'}"])
