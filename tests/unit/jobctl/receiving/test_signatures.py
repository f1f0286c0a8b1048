"""What `verify` and `listen` say of signature headers: made by the official library or by jobd, whole or spoilt."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from jobctl.errors import LocalFile
from jobctl.receiving.signatures import TOLERANCE_S, check, joined, read_keys
from jobd.wire.signing import signature_headers

BODY = b'{"id":"u1-1"}'
NOW = 1_900_000_000
NEW = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OLD = "whsec_" + base64.b64encode(b"76543210fedcba9876543210").decode()


def headers(key: str = NEW, at: int = NOW, body: bytes = BODY) -> dict[str, str]:
    return signature_headers(key, "u1-1", at, body)


@pytest.mark.parametrize("key", ["plain", NEW, "whsec_abc123"])
def test_what_jobd_signs_is_verified_by_both_headers(key: str) -> None:
    verification = check(headers(key), BODY, [key], NOW + 3, TOLERANCE_S)
    assert verification.verified
    assert not verification.reason
    assert [(p.header, p.valid, p.key) for p in verification.proofs] == [
        ("Webhook-Signature", True, 1),
        ("X-Signature-256", True, 1),
    ]
    assert "sent 3s ago" in verification.proofs[0].text


def test_what_the_official_library_signs_is_verified() -> None:
    signature = Webhook(NEW).sign("m-1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    given = {"webhook-id": "m-1", "webhook-timestamp": str(NOW), "webhook-signature": signature}
    assert check(given, BODY, [NEW], NOW, TOLERANCE_S).verified
    assert not check(given, BODY, [OLD], NOW, TOLERANCE_S).verified


def test_the_plain_header_alone_is_enough() -> None:
    given = {"x-SIGNATURE-256": headers("k")["X-Signature-256"]}
    assert check(given, BODY, ["k"], NOW, TOLERANCE_S).verified


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Webhook-Id": "u1-2"}, "the key is wrong"),
        ({"Webhook-Id": ""}, "Webhook-Id is missing"),
        ({"Webhook-Timestamp": ""}, "Webhook-Timestamp is missing"),
        ({"Webhook-Timestamp": "soon"}, "seconds since 1970"),
        ({"Webhook-Timestamp": str(NOW + 1)}, "the key is wrong"),
        ({"Webhook-Signature": "v1,AAAA"}, "the key is wrong"),
        ({"Webhook-Signature": ""}, "the key is wrong"),
        ({"X-Signature-256": "5d41"}, "must begin with sha256="),
        ({"X-Signature-256": "sha256=00"}, "the key is wrong"),
    ],
)
def test_changed_requests_are_refused_with_a_text(change: dict[str, str], words: str) -> None:
    verification = check({**headers(), **change}, BODY, [NEW], NOW, TOLERANCE_S)
    assert not verification.verified
    assert words in verification.reason


def test_missing_headers_are_not_verified() -> None:
    verification = check({"Content-Type": "x"}, BODY, [NEW], NOW, TOLERANCE_S)
    assert not verification.verified
    assert "are missing" in verification.reason


@pytest.mark.parametrize("moved_s", [-301, 301])
def test_an_old_or_early_event_is_refused_without_any_age(moved_s: int) -> None:
    verification = check(headers(), BODY, [NEW], NOW + moved_s, TOLERANCE_S)
    assert not verification.verified
    assert "more than 5m away" in verification.reason
    assert check(headers(), BODY, [NEW], NOW + moved_s, None).verified


def test_an_added_newline_is_named() -> None:
    assert "ends with a newline" in check(headers(), BODY + b"\n", [NEW], NOW, TOLERANCE_S).reason


def test_during_a_rotation_both_keys_verify() -> None:
    both = headers(f"{NEW} {OLD}")
    for keys in ([NEW], [OLD], [OLD, NEW], [NEW, OLD]):
        assert check(both, BODY, keys, NOW, TOLERANCE_S).verified
    only_old = check(both, BODY, [OLD], NOW, TOLERANCE_S)
    assert [p.valid for p in only_old.proofs] == [True, False]
    assert not check(both, BODY, ["another"], NOW, TOLERANCE_S).verified
    assert not check({**both, "Webhook-Signature": ""}, BODY, [OLD], NOW, TOLERANCE_S).verified
    single = {**headers(OLD), "X-Signature-256": headers(NEW)["X-Signature-256"]}
    assert not check(single, BODY, [OLD], NOW, TOLERANCE_S).verified, (
        "one signature: no rotation, so no excuse"
    )


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=10),
)
def test_only_the_body_that_was_signed_is_verified(signed: bytes, received: bytes, key: str) -> None:
    verification = check(signature_headers(key, "i", NOW, signed), received, [key], NOW, TOLERANCE_S)
    assert verification.verified == (signed == received)
    assert bool(verification.reason) != verification.verified


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(list(headers())), st.text(max_size=20)))
def test_any_header_is_checked_without_a_crash(given_headers: dict[str, str]) -> None:
    assert not check(given_headers, BODY, [NEW], NOW, TOLERANCE_S).verified


def test_key_files_are_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{NEW}\n{OLD}\n")
    assert read_keys(str(file)) == [NEW, OLD]
    assert joined(file.read_text()) == f"{NEW} {OLD}"
    file.write_text("  one plain key \n")
    assert read_keys(str(file)) == ["one plain key"]
    file.write_text(f"{NEW} whsec_not-base64\n")
    assert read_keys(str(file)) == [NEW, "whsec_not-base64"]
    file.write_text(" \n")
    with pytest.raises(LocalFile, match="empty"):
        read_keys(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(LocalFile, match="not UTF-8"):
        read_keys(str(file))
    with pytest.raises(LocalFile, match="No such file"):
        read_keys(str(tmp_path / "none"))
