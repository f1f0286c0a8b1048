"""Verifies the signatures of a received body: `X-Signature-256` and the Standard Webhooks headers.

Owns the key files and the text for each header; `jobd.wire.signing` has the two schemes. The time is an argument. Texts name a key by
its number, never by its value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.errors import LocalFile, NotAllowed
from jobctl.units import short_duration
from jobd.wire.signing import (
    SIGNATURE_HEADER,
    keys_of,
    verify_256,
    verify_standard_webhooks,
)

STANDARD_HEADER = "Webhook-Signature"
ID_HEADER, TIMESTAMP_HEADER = "Webhook-Id", "Webhook-Timestamp"
TOLERANCE_S = 300.0
"""The largest age that the reference libraries of Standard Webhooks accept."""
LONGEST_KEY_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Proof:
    """The result for one signature header: whether it is valid, and why. `key`: the number of the key, from 1."""

    header: str
    valid: bool
    text: str
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The result for all headers together. `reason`: why the body is not `verified`."""

    verified: bool
    proofs: tuple[Proof, ...] = ()
    reason: str = ""


def joined(text: str) -> str:
    """Returns a key file's text as `callback.key` takes it: several `whsec_` keys separated by one blank; any other text is one key,
    stripped.
    """
    stripped = text.strip()
    return " ".join(stripped.split()) if stripped.startswith("whsec_") else stripped


def read_keys(path: str) -> list[str]:
    """Returns the keys in a file, the newest first.

    Raises:
        NotAllowed: this user may not read the file.
        LocalFile: the file does not exist, is empty or is not text.
    """
    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            text = joined(opened.read(LONGEST_KEY_FILE_BYTES).decode())
    except PermissionError:
        raise NotAllowed(f"this user may not read the key file {path}", hint=f"ls -l {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise LocalFile(f"the key file {path} cannot be read: {why}") from None
    if not text:
        raise LocalFile(f"the key file {path} is empty")
    return keys_of(text)


def check(
    headers: Mapping[str, str], body: bytes, keys: Sequence[str], now_s: float, tolerance_s: float | None
) -> Verification:
    """Verifies the signature headers of `body` with `keys`; header names in any case. `tolerance_s`: the largest difference between the
    timestamp and `now_s`, in seconds since 1970; None: any age.

    Every present header must be valid, with one exception: during a rotation of keys only the newest key signs `X-Signature-256`, so
    a valid `Webhook-Signature` with several signatures suffices.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    plain, signatures = given.get(SIGNATURE_HEADER.lower()), given.get(STANDARD_HEADER.lower())
    proofs: list[Proof] = []
    if signatures is not None:
        proofs.append(_standard(given, signatures, body, keys, now_s, tolerance_s))
    if plain is not None:
        proofs.append(_plain(plain, body, keys))
    if not proofs:
        return Verification(False, (), f"the headers {SIGNATURE_HEADER} and {STANDARD_HEADER} are missing")
    rotated = signatures is not None and proofs[0].valid and len(signatures.split()) > 1
    wrong = next((proof for proof in proofs if not proof.valid), None)
    if wrong is None or (rotated and wrong.header == SIGNATURE_HEADER):
        return Verification(True, tuple(proofs))
    return Verification(False, tuple(proofs), f"{wrong.header}: {wrong.text}")


def _plain(signature: str, body: bytes, keys: Sequence[str]) -> Proof:
    for number, key in enumerate(keys, 1):
        if verify_256(key, body, signature):
            return Proof(SIGNATURE_HEADER, True, _key_text(number, keys), number)
    if not signature.startswith("sha256="):
        return Proof(SIGNATURE_HEADER, False, "the signature must begin with sha256=")
    shorter = body.rstrip(b"\r\n")
    if shorter != body and any(verify_256(key, shorter, signature) for key in keys):
        return Proof(SIGNATURE_HEADER, False, "the body ends with a newline that jobd did not send")
    return Proof(SIGNATURE_HEADER, False, _no_key(keys))


def _standard(
    given: Mapping[str, str],
    signatures: str,
    body: bytes,
    keys: Sequence[str],
    now_s: float,
    tolerance_s: float | None,
) -> Proof:
    message_id, stamp = given.get(ID_HEADER.lower()), given.get(TIMESTAMP_HEADER.lower())
    if not message_id or not stamp:
        absent = ID_HEADER if not message_id else TIMESTAMP_HEADER
        return Proof(STANDARD_HEADER, False, f"{absent} is missing, but the signature covers it")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return Proof(STANDARD_HEADER, False, f"{TIMESTAMP_HEADER} must be seconds since 1970")
    sent_s = int(stamp)
    for number, key in enumerate(keys, 1):
        if verify_standard_webhooks(key, message_id, sent_s, body, signatures):
            return _in_time(sent_s, now_s, tolerance_s, number, keys)
    shorter = body.rstrip(b"\r\n")
    if shorter != body and any(
        verify_standard_webhooks(k, message_id, sent_s, shorter, signatures) for k in keys
    ):
        return Proof(STANDARD_HEADER, False, "the body ends with a newline that jobd did not send")
    return Proof(STANDARD_HEADER, False, _no_key(keys))


def _in_time(sent_s: int, now_s: float, tolerance_s: float | None, number: int, keys: Sequence[str]) -> Proof:
    age_s = now_s - sent_s
    when = f"{short_duration(abs(age_s))} {'ago' if age_s >= 0 else 'from now'}"
    if tolerance_s is not None and abs(age_s) > tolerance_s:
        text = f"sent {when}, more than {short_duration(tolerance_s)} away: too old, or replayed by another sender"
        return Proof(STANDARD_HEADER, False, text, number)
    return Proof(STANDARD_HEADER, True, f"{_key_text(number, keys)}, sent {when}", number)


def _key_text(number: int, keys: Sequence[str]) -> str:
    return "signed with the key" if len(keys) == 1 else f"signed with key {number} of {len(keys)}"


def _no_key(keys: Sequence[str]) -> str:
    wrong = "the key is wrong" if len(keys) == 1 else f"none of the {len(keys)} keys is right"
    return f"{wrong}, or the body was changed"
