"""Digests of a spec and of the local files sent with it; equal digests mean the same job.

Keeps secrets and files secret: an attacker can guess a short password from a plain digest, so a submission with secrets or files
is digested with a key that only this installation has. Files are equal if their tars are equal, byte for byte: names, types,
modes, times and contents, in order. `submission.py` compares the digests.

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

    def of(self, spec: JobSpec, files: bytes | None = None) -> str:
        """Returns the digest of a spec, its secrets' values included, as hexadecimal text. `files`: the SHA-256 of the tar that
        was sent with the spec; an empty tar is another submission than no tar.
        """
        encoded = _encoder.encode(spec)
        if files is not None:
            # A JSON document ends with a brace: no spec without files has these bytes.
            encoded += b"\0files\0" + files
        if spec.secrets or files is not None:
            return hmac.digest(self._key, encoded, "sha256").hex()
        return hashlib.sha256(encoded).hexdigest()
