"""Signatures of events: `X-Signature-256` and the three Standard Webhooks headers.

Owns signing and verification in both schemes, and the notation of several keys during a rotation: separated by spaces, the newest
first, which must be a `whsec_` key (any other text is one key, including its spaces). Pure. No error text contains a key.

Source: Standard Webhooks 1.0, "Signature scheme"; docs/events.md, "Signatures".
"""

import base64
import hashlib
import hmac
from functools import lru_cache

SIGNATURE_HEADER = "X-Signature-256"
_WHSEC = "whsec_"
_KNOWN_KEYS = 64
_KNOWN_KEY_CHARACTERS = 1024
"""A longer key is prepared for each signature: it would stay in memory."""


def keys_of(key: str) -> list[str]:
    """Returns the keys in `callback.key`, in order: two for `whsec_new whsec_old`, one for `plain key`."""
    return [one for one in key.split(" ") if one] if key.startswith(_WHSEC) else [key]


def signature_256(key: str, body: bytes) -> str:
    """Returns `sha256=<hex HMAC-SHA256 of the body>`; the key is used as its UTF-8 bytes."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def standard_webhooks_key(key: str) -> bytes:
    """Returns the secret bytes of a key: the decoded base64 (RFC 4648, section 4, with padding) after `whsec_`. For any other text,
    also `whsec_` without base64, the bytes are the text's UTF-8.
    """
    if not key.startswith(_WHSEC):
        return key.encode()
    try:
        secret = base64.b64decode(key.removeprefix(_WHSEC), validate=True)
    except ValueError:  # binascii.Error, or a character beyond ASCII
        secret = b""
    # With an empty secret everybody could sign.
    return secret or key.encode()


def standard_webhooks_signature(key: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Returns the `v1,<base64>` signature over `id.timestamp.body`."""
    prepared = hmac.new(standard_webhooks_key(key), digestmod=hashlib.sha256)
    return _v1(prepared, f"{message_id}.{timestamp_s}.".encode() + body)


def signature_headers(key: str | None, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Returns the signature headers of `body`; without a key only the id and the timestamp.

    With several keys `Webhook-Signature` has one signature for each key; `X-Signature-256` uses the first key.
    """
    headers = {"Webhook-Id": message_id, "Webhook-Timestamp": str(timestamp_s)}
    if key:
        first, content = _prepared(key), f"{message_id}.{timestamp_s}.".encode() + body
        headers[SIGNATURE_HEADER] = "sha256=" + _signed(first[0], body).hexdigest()
        headers["Webhook-Signature"] = " ".join([_v1(one, content) for one in first[1:]])
    return headers


def _signed(prepared: hmac.HMAC, content: bytes) -> hmac.HMAC:
    signed = prepared.copy()
    signed.update(content)
    return signed


def _v1(prepared: hmac.HMAC, content: bytes) -> str:
    return "v1," + base64.b64encode(_signed(prepared, content).digest()).decode()


def _prepared(key: str) -> tuple[hmac.HMAC, ...]:
    """Returns the HMAC of `X-Signature-256`, and one of `Webhook-Signature` for each key; from a cache, since one key signs many events."""
    return _known(key) if len(key) <= _KNOWN_KEY_CHARACTERS else _prepare(key)


def _prepare(key: str) -> tuple[hmac.HMAC, ...]:
    keys = keys_of(key)
    secrets = [keys[0].encode(), *map(standard_webhooks_key, keys)]
    return tuple(hmac.new(secret, digestmod=hashlib.sha256) for secret in secrets)


_known = lru_cache(maxsize=_KNOWN_KEYS)(_prepare)


def verify_256(key: str, body: bytes, signature: str) -> bool:
    """Returns whether `signature` is the body's `X-Signature-256` with `key`; compares in constant time."""
    return hmac.compare_digest(signature_256(key, body).encode(), signature.encode())


def verify_standard_webhooks(
    key: str, message_id: str, timestamp_s: int, body: bytes, signatures: str
) -> bool:
    """Returns whether one of the `v1` signatures, separated by spaces, is the body's with `key`; compares in constant time. The
    receiver itself decides how old the timestamp may be.

    Source: Standard Webhooks 1.0, "Verifying webhook authenticity".
    """
    expected = standard_webhooks_signature(key, message_id, timestamp_s, body).encode()
    found = [hmac.compare_digest(expected, one.encode("utf-8", "replace")) for one in signatures.split(" ")]
    return any(found)
