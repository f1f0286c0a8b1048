"""`jobctl verify`: checks that a received body is the one that jobd signed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import LocalFile, Misuse
from jobctl.job.outcome import Outcome, ProblemsFound
from jobctl.output import output
from jobctl.units import seconds_of

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl verify --key-file key -H 'X-Signature-256: sha256=5d41...' body.json
  jobctl verify --key-file key -H @headers.txt body.json
  jobctl verify --key-file new --key-file old -H @headers.txt --any-age - < body.json

The body must have the received bytes: JSON that was parsed and encoded again has others.
The exit code is 1 where the signature is not valid; jobctl prints the reason.
"""
LONGEST_BODY_BYTES = 64 << 20
LONGEST_HEADERS_BYTES = 1 << 20


def verify(
    ctx: typer.Context,
    body: Annotated[
        str,
        typer.Argument(
            metavar="BODYFILE", help="The received body, unchanged; - is stdin.", show_default=False
        ),
    ],
    key_file: Annotated[
        list[str] | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="A file with the key, or with several during a rotation; may be repeated.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "-H", "--header", metavar="NAME: VALUE", help="A received header; @FILE has one a line."
        ),
    ] = None,
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="DURATION", help="Largest age of Webhook-Timestamp."),
    ] = "5m",
    any_age: Annotated[bool, typer.Option("--any-age", help="Accept any age.")] = False,
) -> Outcome | None:
    """Check the signatures of a received event: X-Signature-256, Webhook-Signature, or both."""
    from jobctl.receiving.signatures import check, read_keys

    session = session_of(ctx)
    if not key_file:
        raise Misuse("--key-file is missing", hint="use the file of --callback-key-file")
    if not header:
        raise Misuse("the headers of the body are missing", hint="use -H 'NAME: VALUE', or -H @FILE")
    try:
        tolerance_s = None if any_age else seconds_of(tolerance)
    except ValueError as error:
        raise Misuse(f"--tolerance: {error}") from None
    keys = [key for path in key_file for key in read_keys(path)]
    verification = check(headers_of(header), _bytes(body), keys, time.time(), tolerance_s)
    if session.format in ("json", "yaml"):
        proofs = [
            {"header": p.header, "holds": p.valid, "said": p.text, **({"key": p.key} if p.key else {})}
            for p in verification.proofs
        ]
        tree = {"verified": verification.verified, "checks": proofs}
        output.tree(tree | ({"reason": verification.reason} if verification.reason else {}), session.format)
    else:
        for proof in verification.proofs:
            mark = "ok" if proof.valid else "--" if verification.verified else "FAIL"
            output.text(f"{mark:<4}  {proof.header}: {proof.text}\n")
        output.text("verified\n" if verification.verified else f"not verified: {verification.reason}\n")
    return None if verification.verified else ProblemsFound()


def headers_of(given: list[str]) -> dict[str, str]:
    """Returns the headers of -H: `NAME: VALUE`, or @FILE with one a line. In a file, lines that are no headers are skipped, such as a
    request line.

    Raises:
        Misuse: a text has no colon. LocalFile: the file cannot be read.
    """
    headers: dict[str, str] = {}
    for text in given:
        if text.startswith("@"):
            lines = _bytes(text[1:], LONGEST_HEADERS_BYTES).decode("utf-8", "replace").splitlines()
            headers.update(pair for line in lines if (pair := _pair(line)) is not None)
            continue
        pair = _pair(text)
        if pair is None:
            raise Misuse(f"--header {text!r} must be NAME: VALUE", hint="-H 'Webhook-Id: 5f2c', or -H @FILE")
        headers.update([pair])
    return headers


def _pair(line: str) -> tuple[str, str] | None:
    name, colon, value = line.partition(":")
    name = name.strip()
    return (name.lower(), value.strip()) if colon and name and " " not in name else None


def _bytes(path: str, longest: int = LONGEST_BODY_BYTES) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(longest + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(longest + 1)
    except OSError as error:
        raise LocalFile(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > longest:
        raise LocalFile(f"{path} is larger than {longest >> 20} MiB")
    return content
