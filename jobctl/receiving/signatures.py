"""Whether a body that was received is the one that was signed: `X-Signature-256` and the Standard Webhooks headers.

Owns reading key files and what is said of each header; the two schemes are in `jobd.wire.signing`. The time is given. Keys
are never shown: they are named by their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.errors import LocalFile, NotAllowed
from jobctl.job.units import short_duration
from jobd.wire.signing import (
    SIGNATURE_HEADER,
    keys_of,
    verify_256,
    verify_standard_webhooks,
)

STANDARD_HEADER = "Webhook-Signature"
ID_HEADER, TIMESTAMP_HEADER = "Webhook-Id", "Webhook-Timestamp"
TOLERANCE_S = 300.0
"""The age that receivers allow, as the reference libraries of Standard Webhooks do."""
LONGEST_KEY_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Proof:
    """One signature header: whether it holds, and in words why, or why not. `key` is the place of the key, from 1."""

    header: str
    holds: bool
    said: str
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What all headers together come to. `reason` says what is wrong where it is not `verified`."""

    verified: bool
    proofs: tuple[Proof, ...] = ()
    reason: str = ""


def joined(text: str) -> str:
    """Returns a key file's text as `callback.key` takes it: `whsec_` keys, however separated, with a blank between;
    any other text is one key, without the blanks around it.
    """
    stripped = text.strip()
    return " ".join(stripped.split()) if stripped.startswith("whsec_") else stripped


def read_keys(path: str) -> list[str]:
    """Returns the keys in a file, the newest first.

    Raises:
        NotAllowed: the file is not readable for this user.
        LocalFile: it does not exist, is empty or is no text.
    """
    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            text = joined(opened.read(LONGEST_KEY_FILE_BYTES).decode())
    except PermissionError:
        raise NotAllowed(f"the key file {path} is not readable for this user", hint=f"ls -l {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LocalFile(f"the key file {path} cannot be read: {why}") from None
    if not text:
        raise LocalFile(f"the key file {path} is empty")
    return keys_of(text)


def check(
    headers: Mapping[str, str], body: bytes, keys: Sequence[str], now_s: float, tolerance_s: float | None
) -> Verification:
    """Returns what the signature headers, whatever their case, say of `body` under `keys`. `tolerance_s`: how far the
    timestamp may be from `now_s`, in seconds since 1970; None: any age.

    Every header that is there must hold. One exception: while keys are rotated `X-Signature-256` is the newest key's
    alone, so a receiver that has only an older one goes by `Webhook-Signature`.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    plain, signatures = given.get(SIGNATURE_HEADER.lower()), given.get(STANDARD_HEADER.lower())
    proofs: list[Proof] = []
    if signatures is not None:
        proofs.append(_standard(given, signatures, body, keys, now_s, tolerance_s))
    if plain is not None:
        proofs.append(_plain(plain, body, keys))
    if not proofs:
        return Verification(False, (), f"neither {SIGNATURE_HEADER} nor {STANDARD_HEADER} is there")
    rotated = signatures is not None and proofs[0].holds and len(signatures.split()) > 1
    wrong = next((proof for proof in proofs if not proof.holds), None)
    if wrong is None or (rotated and wrong.header == SIGNATURE_HEADER):
        return Verification(True, tuple(proofs))
    return Verification(False, tuple(proofs), f"{wrong.header}: {wrong.said}")


def _plain(signature: str, body: bytes, keys: Sequence[str]) -> Proof:
    for number, key in enumerate(keys, 1):
        if verify_256(key, body, signature):
            return Proof(SIGNATURE_HEADER, True, _which(number, keys), number)
    if not signature.startswith("sha256="):
        return Proof(SIGNATURE_HEADER, False, "it must begin with sha256=")
    shorter = body.rstrip(b"\r\n")
    if shorter != body and any(verify_256(key, shorter, signature) for key in keys):
        return Proof(SIGNATURE_HEADER, False, "the body has a newline at its end that was not sent")
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
        return Proof(STANDARD_HEADER, False, f"{absent} is missing, which it signs as well")
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
        return Proof(STANDARD_HEADER, False, "the body has a newline at its end that was not sent")
    return Proof(STANDARD_HEADER, False, _no_key(keys))


def _in_time(sent_s: int, now_s: float, tolerance_s: float | None, number: int, keys: Sequence[str]) -> Proof:
    age_s = now_s - sent_s
    when = f"{short_duration(abs(age_s))} {'ago' if age_s >= 0 else 'from now'}"
    if tolerance_s is not None and abs(age_s) > tolerance_s:
        said = (
            f"sent {when}, more than {short_duration(tolerance_s)} away: old, or sent again by somebody else"
        )
        return Proof(STANDARD_HEADER, False, said, number)
    return Proof(STANDARD_HEADER, True, f"{_which(number, keys)}, sent {when}", number)


def _which(number: int, keys: Sequence[str]) -> str:
    return "by the key" if len(keys) == 1 else f"by key {number} of {len(keys)}"


def _no_key(keys: Sequence[str]) -> str:
    keyed = "the key does not fit" if len(keys) == 1 else f"none of the {len(keys)} keys fits"
    return f"{keyed}, or the body is not the one that was sent"
