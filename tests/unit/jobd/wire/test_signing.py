"""Signatures as receivers check them: by the official Standard Webhooks library, and by plain HMAC."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from jobd.wire import signing
from jobd.wire.signing import (
    keys_of,
    signature_256,
    signature_headers,
    standard_webhooks_key,
    standard_webhooks_signature,
    verify_256,
    verify_standard_webhooks,
)

BODY = b'{"n":1,"text":"\xc3\xa4"}'
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
NOT_BASE64 = ["whsec_abc123", "whsec_secret!", "whsec_abc", "whsec_YQ=", "whsec_", "whsec_ä", "whsec_-_-_"]
"""The first is the example of the Go service's own guide."""


@pytest.mark.parametrize("key", ["plain key", "ä", WHSEC, *NOT_BASE64])
def test_the_official_library_verifies_the_headers(key: str) -> None:
    headers = signature_headers(key, "u1-1", int(time.time()), BODY)
    assert Webhook(standard_webhooks_key(key)).verify(BODY, headers) == {"n": 1, "text": "ä"}
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_webhooks_key(key)).verify(BODY.replace(b"1", b"2"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_webhooks_key(key)).verify(BODY, {**headers, "Webhook-Id": "u1-2"})


def test_a_whsec_key_decodes_as_in_the_official_library() -> None:
    headers = signature_headers(WHSEC, "u1-1", int(time.time()), BODY)
    Webhook(WHSEC).verify(BODY, headers)


def test_during_a_rotation_each_key_verifies_with_the_official_library() -> None:
    old = "whsec_" + base64.b64encode(b"76543210fedcba9876543210").decode()
    headers = signature_headers(f"{WHSEC} {old}", "u1-1", int(time.time()), BODY)
    assert len(headers["Webhook-Signature"].split(" ")) == 2
    for key in (WHSEC, old):
        Webhook(key).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another key altogether..").decode()).verify(BODY, headers)
    assert headers["X-Signature-256"] == signature_256(WHSEC, BODY)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (WHSEC, [WHSEC]),
        (f"{WHSEC} {WHSEC}x", [WHSEC, f"{WHSEC}x"]),
        (f"{WHSEC}  old-plain-key", [WHSEC, "old-plain-key"]),
        ("one plain key", ["one plain key"]),
        (f"plain {WHSEC}", [f"plain {WHSEC}"]),
        ("", [""]),
    ],
)
def test_several_keys_begin_with_a_whsec_key(text: str, keys: list[str]) -> None:
    assert keys_of(text) == keys


def test_the_published_example_of_the_scheme_holds() -> None:
    signature = standard_webhooks_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), min_size=1, max_size=20),
    st.binary(max_size=60),
)
def test_the_plain_signature_is_the_bodys_hmac(key: str, body: bytes) -> None:
    expected = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    assert signature_256(key, body) == f"sha256={expected}"
    assert verify_256(key, body, f"sha256={expected}")
    assert not verify_256(key, body + b"x", f"sha256={expected}")
    assert not verify_256(key + "x", body, f"sha256={expected}")
    assert not verify_256(key, body, expected)


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_only_the_id_and_the_time_are_sent(key: str | None) -> None:
    assert signature_headers(key, "u1-1", 5, BODY) == {"Webhook-Id": "u1-1", "Webhook-Timestamp": "5"}


def test_with_a_key_all_four_headers_are_sent() -> None:
    assert set(signature_headers("k", "u1-1", 5, BODY)) == {
        "Webhook-Id",
        "Webhook-Timestamp",
        "Webhook-Signature",
        "X-Signature-256",
    }


@pytest.mark.parametrize("key", NOT_BASE64)
def test_a_whsec_key_that_is_not_base64_stands_for_its_own_bytes(key: str) -> None:
    assert standard_webhooks_key(key) == key.encode()
    headers = signature_headers(key, "u1-1", 5, BODY)
    assert headers["X-Signature-256"] == f"sha256={hmac.new(key.encode(), BODY, hashlib.sha256).hexdigest()}"
    assert verify_standard_webhooks(key, "u1-1", 5, BODY, headers["Webhook-Signature"])


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=12))
def test_every_key_signs_what_it_verifies_and_never_with_an_empty_secret(text: str) -> None:
    for key in (f"whsec_{text}", text or "k"):
        assert standard_webhooks_key(key)
        signature = standard_webhooks_signature(key, "m", 5, BODY)
        assert verify_standard_webhooks(key, "m", 5, BODY, signature)


def test_a_signature_of_other_characters_does_not_verify() -> None:
    assert not verify_256("k", BODY, "sha256=é")


@pytest.mark.parametrize("key", ["plain key", "ä", WHSEC])
def test_what_the_official_library_signs_is_verified(key: str) -> None:
    moment = datetime.fromtimestamp(1_900_000_000, UTC)
    signed = Webhook(standard_webhooks_key(key)).sign("m-1", moment, BODY.decode())
    assert verify_standard_webhooks(key, "m-1", 1_900_000_000, BODY, signed)
    assert verify_standard_webhooks(key, "m-1", 1_900_000_000, BODY, f"v1,AAAA v2,x {signed}")
    for changed in (
        ("m-2", 1_900_000_000, BODY),
        ("m-1", 1_900_000_001, BODY),
        ("m-1", 1_900_000_000, BODY + b" "),
    ):
        assert not verify_standard_webhooks(key, *changed, signed)
    assert not verify_standard_webhooks(
        key + "x" if key != WHSEC else "other", "m-1", 1_900_000_000, BODY, signed
    )


@given(st.text(max_size=40))
def test_other_signatures_never_verify(signatures: str) -> None:
    assert not verify_standard_webhooks("k", "m-1", 5, BODY, signatures)


def test_long_keys_are_not_kept() -> None:
    signing._known.cache_clear()
    for n in range(100):
        signature_headers(f"{n} " + "k" * signing._KNOWN_KEY_CHARACTERS, "m", 5, BODY)
    assert signing._known.cache_info().currsize == 0
    for n in range(100):
        signature_headers(f"key {n}", "m", 5, BODY)
    assert signing._known.cache_info().currsize == signing._KNOWN_KEYS


def test_a_known_key_signs_each_body_anew() -> None:
    for body in (b"a", b"b", b"a"):
        headers = signature_headers(WHSEC, "m", 5, body)
        assert headers["X-Signature-256"] == signature_256(WHSEC, body)
        assert headers["Webhook-Signature"] == standard_webhooks_signature(WHSEC, "m", 5, body)


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), max_size=3))
def test_a_prepared_hmac_is_that_of_the_standard_library(secret: bytes, messages: list[bytes]) -> None:
    prepared = signing._PreparedHmac(secret)
    for message in messages:
        assert prepared.digest(message) == hmac.new(secret, message, hashlib.sha256).digest()
