"""`jobctl verify`: whether a body that was received is the one that jobd signed."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import LocalFile, Misuse
from jobctl.job.outcome import Outcome, Unhealthy
from jobctl.job.units import seconds_of
from jobctl.output import output

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl verify --key-file key -H 'X-Signature-256: sha256=5d41...' body.json
  jobctl verify --key-file key -H @headers.txt body.json
  jobctl verify --key-file new --key-file old -H @headers.txt --any-age - < body.json

The body must be the bytes that came: JSON that was read and written again is another one.
Exit code 1: it does not hold, and the reason is said.
"""
LONGEST_BODY_BYTES = 64 << 20
LONGEST_HEADERS_BYTES = 1 << 20


def verify(
    ctx: typer.Context,
    body: Annotated[
        str,
        typer.Argument(
            metavar="BODYFILE", help="The body as it was received; - is stdin.", show_default=False
        ),
    ],
    key_file: Annotated[
        list[str] | None,
        typer.Option(
            "--key-file", metavar="FILE", help="The key, or several while they are rotated; may be repeated."
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "-H", "--header", metavar="NAME: VALUE", help="A header that came with it; @FILE: one a line."
        ),
    ] = None,
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="DURATION", help="How old Webhook-Timestamp may be."),
    ] = "5m",
    any_age: Annotated[bool, typer.Option("--any-age", help="However old it is.")] = False,
) -> Outcome | None:
    """Check the signatures of a received event: X-Signature-256, Webhook-Signature, or both."""
    from jobctl.receiving.signatures import check, read_keys

    session = of(ctx)
    if not key_file:
        raise Misuse("--key-file is needed", hint="the file that was given to --callback-key-file")
    if not header:
        raise Misuse("the headers that came with the body are needed", hint="-H 'NAME: VALUE', or -H @FILE")
    try:
        tolerance_s = None if any_age else seconds_of(tolerance)
    except ValueError as error:
        raise Misuse(f"--tolerance: {error}") from None
    keys = [key for path in key_file for key in read_keys(path)]
    verification = check(headers_of(header), _bytes(body), keys, time.time(), tolerance_s)
    if session.format in ("json", "yaml"):
        proofs = [
            {"header": p.header, "holds": p.holds, "said": p.said, **({"key": p.key} if p.key else {})}
            for p in verification.proofs
        ]
        tree = {"verified": verification.verified, "checks": proofs}
        output.tree(tree | ({"reason": verification.reason} if verification.reason else {}), session.format)
    else:
        for proof in verification.proofs:
            mark = "ok" if proof.holds else "--" if verification.verified else "FAIL"
            output.text(f"{mark:<4}  {proof.header}: {proof.said}\n")
        output.text("verified\n" if verification.verified else f"not verified: {verification.reason}\n")
    return None if verification.verified else Unhealthy()


def headers_of(given: list[str]) -> dict[str, str]:
    """Returns the headers of -H: `NAME: VALUE`, or @FILE with one a line, as tools save them (a request or status line
    and what is no header are passed over there).

    Raises:
        Misuse: a text without a colon. LocalFile: the file cannot be read.
    """
    found: dict[str, str] = {}
    for text in given:
        if text.startswith("@"):
            lines = _bytes(text[1:], LONGEST_HEADERS_BYTES).decode("utf-8", "replace").splitlines()
            found.update(pair for line in lines if (pair := _pair(line)) is not None)
            continue
        pair = _pair(text)
        if pair is None:
            raise Misuse(f"--header {text!r} must be NAME: VALUE", hint="-H 'Webhook-Id: 5f2c', or -H @FILE")
        found.update([pair])
    return found


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
        raise LocalFile(f"{path} is longer than {longest >> 20} MiB")
    return content
