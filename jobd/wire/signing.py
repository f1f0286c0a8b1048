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
_BLOCK_BYTES = 64


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
    content = f"{message_id}.{timestamp_s}.".encode() + body
    return _v1(hmac.new(standard_webhooks_key(key), content, hashlib.sha256).digest())


def signature_headers(key: str | None, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Returns the signature headers of `body`; without a key only the id and the timestamp.

    With several keys `Webhook-Signature` has one signature for each key; `X-Signature-256` uses the first key.
    """
    headers = {"Webhook-Id": message_id, "Webhook-Timestamp": str(timestamp_s)}
    if key:
        prepared = _known(key) if len(key) <= _KNOWN_KEY_CHARACTERS else _prepare(key)
        content = f"{message_id}.{timestamp_s}.".encode() + body
        headers[SIGNATURE_HEADER] = "sha256=" + prepared[0].digest(body).hex()
        headers["Webhook-Signature"] = " ".join([_v1(one.digest(content)) for one in prepared[1:]])
    return headers


def _v1(digest: bytes) -> str:
    return "v1," + base64.b64encode(digest).decode()


class _PreparedHmac:
    """HMAC-SHA256 with one key for many messages: the key's two blocks are hashed once. `hmac.new` and `hmac.digest` take twice as
    long, as they look up the algorithm for each message.

    Source: RFC 2104, sections 2 and 4.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        block = secret if len(secret) <= _BLOCK_BYTES else hashlib.sha256(secret).digest()
        block = block.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        """Returns the HMAC of one message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def _prepare(key: str) -> tuple[_PreparedHmac, ...]:
    """Returns the HMAC of `X-Signature-256`, then one of `Webhook-Signature` for each key."""
    keys = keys_of(key)
    return tuple(map(_PreparedHmac, [keys[0].encode(), *map(standard_webhooks_key, keys)]))


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
