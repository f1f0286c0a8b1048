"""Whether two submissions ask for the same: a digest of the spec and of the local files sent with it, stored in the job's place.

Owns how the values of secrets, and the content of files, take part in it and stay secret: a plain digest of a short password is as good as
the password, so a submission with either is digested with a key that only this installation has. Files are the same where
their tar is, byte for byte: names, types, modes, times and contents, in their order, which is all that a workspace is made of.
What is compared with the digest is decided in `submission.py`.

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
        was sent with it; no files at all are another submission than an empty tar.
        """
        encoded = _encoder.encode(spec)
        if files is not None:
            # JSON ends with its brace: no spec without files has these bytes.
            encoded += b"\0files\0" + files
        if spec.secrets or files is not None:
            return hmac.digest(self._key, encoded, "sha256").hex()
        return hashlib.sha256(encoded).hexdigest()
