"""Whether two submissions ask for the same: a digest of the spec that is stored in the job's place.

Owns how the values of secrets take part in it and stay secret: a plain digest of a short password is as good as the password, so a
spec with secrets is digested with a key that only this installation has. What is compared with it is decided in `intake.py`.

Source: RFC 2104 (HMAC).
"""

import hashlib
import hmac

import msgspec

from jobd.wire.job import JobSpec

_encoder = msgspec.json.Encoder(order="sorted")


class Fingerprints:
    """Digests of specs, made with one installation's `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, spec: JobSpec) -> str:
        """Returns the digest of a spec, its secrets' values included, as hexadecimal text."""
        encoded = _encoder.encode(spec)
        if spec.secrets:
            return hmac.digest(self._key, encoded, "sha256").hex()
        return hashlib.sha256(encoded).hexdigest()
