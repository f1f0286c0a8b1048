"""`jobctl __paths`: prints the paths in a job's workspace with a given prefix, for completion scripts.

The daemon sends folders only as tars, so this reads the beginning of a tar, for a short time.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError
from jobctl.output import output
from jobctl.selection.ids import resolve

if TYPE_CHECKING:
    import typer

    from jobctl.connection.client import Client

FORMATS: tuple[str, ...] = ()
MOST_PATHS = 500
MOST_READ_BYTES = 16 << 20
LONGEST_S = 2.0


def paths(
    ctx: typer.Context, typed: Annotated[str, typer.Argument(metavar="ID:PATH", show_default=False)]
) -> None:
    """Print the completions of ID:PATH, one a line, folders with a trailing /; nothing where the daemon does not answer soon."""
    name, colon, prefix = typed.partition(":")
    if not colon:
        return
    client = session_of(ctx).client()
    folder, slash, _ = prefix.rpartition("/")
    try:
        for path in names(client, resolve(client, name), folder or "."):
            whole = f"{folder}{slash}{path}"
            if whole.startswith(prefix):
                output.text(f"{name}:{whole}\n")
    except (JobctlError, tarfile.TarError, EOFError):
        return  # the completion shows no errors


def names(client: Client, job_id: str, folder: str) -> Iterator[str]:
    """Yields names in a folder of a workspace, within `MOST_READ_BYTES` and `LONGEST_S`."""
    from jobctl.connection.body import Body
    from jobctl.connection.client import read_blocks
    from jobctl.transfers.fetch import opened

    until = time.monotonic() + LONGEST_S
    with opened(client, job_id, folder) as response:

        def blocks() -> Iterator[bytes]:
            read = 0
            for block in read_blocks(response):
                read += len(block)
                if read > MOST_READ_BYTES or time.monotonic() > until:
                    return
                yield block

        seen: set[str] = set()
        with tarfile.open(fileobj=Body(blocks()), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                inner = member.name.removeprefix("./").partition("/")[2]  # without the folder itself
                first, more, _ = inner.partition("/")
                name = first + ("/" if more or member.isdir() else "")
                if first in ("", ".") or name in seen or not name.isprintable():
                    continue
                seen.add(name)
                yield name
                if len(seen) >= MOST_PATHS:
                    return
