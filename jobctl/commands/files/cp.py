"""`jobctl cp`: copies files out of a job's workspace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import Misuse, NotFound, OutputMissing
from jobctl.output import output
from jobctl.selection.ids import resolve
from jobctl.units import bytes_text, size_bytes

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl cp @last:result.csv .
  jobctl cp trainer-3f:models ./models
  jobctl cp @last:. everything/
  jobctl cp @last:logs - | tar t
  jobctl cp --max-size 2t @last:disk.img .

Files can be copied until jobd removes the workspace: see "Files until" in jobctl show.
"""


def cp(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="ID:PATH", help="The job, and a path in its workspace.", show_default=False),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DEST",
            help="The path of the copy; a folder for the copy, where DEST ends in / or is a dot; - is stdout.",
            show_default=False,
        ),
    ],
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="Largest size of all files together: 500m, 20g, 2t. [the disk's free space less a twentieth]",
        ),
    ] = None,
) -> None:
    """Copy files out of a job's workspace.

    DEST becomes a copy of PATH; repeating the command gives the same result. Where DEST ends in / or is a dot, the copy goes into that
    folder under its own name. A file is replaced atomically and keeps its mode; links are followed; devices and FIFOs are written to. A
    folder is replaced as a whole, and only where jobctl wrote all files in it and they are unchanged. On stdout a file is printed as it
    is, and a folder as a tar.

    jobctl refuses a file that exceeds --max-size before it writes the file, so that a sparse file of a job does not fill the disk.
    Blocks of zeros become holes.
    """
    from jobctl.transfers.destination import Place, check
    from jobctl.transfers.destination import resolve as resolve_place
    from jobctl.transfers.fetch import fetch

    session = session_of(ctx)
    try:
        max_bytes = None if max_size is None else size_bytes(max_size)
    except ValueError as error:
        raise Misuse(f"--max-size: {error}") from None
    name, colon, path = source.partition(":")
    if not colon or not name or not path:
        if ":" in destination:
            raise Misuse(
                "jobctl cp copies files only out of a job",
                hint="to copy files into a job before its start: jobctl run --in PATH=SOURCE",
            )
        raise Misuse(f"{source!r} must be ID:PATH", hint="for instance: jobctl cp @last:result.csv .")
    client = session.client()
    job_id = resolve(client, name)
    try:
        place = resolve_place(path, destination)
        if isinstance(place, Place):
            check(place)
        elif session.format:
            raise Misuse(
                f"a copy to stdout cannot be printed as {session.format}", hint="remove -o and --json"
            )
        extracted = fetch(client, job_id, path, place, max_bytes)
    except OutputMissing as error:
        raise NotFound(
            error.message, hint=f"to copy the whole workspace: jobctl cp {job_id}:. DIRECTORY"
        ) from None
    if extracted is None:
        return
    for skipped in extracted.skipped:
        output.note(f"skipped {skipped}: jobctl copies only files and folders")
    if session.format in ("json", "yaml"):
        output.tree(
            {"target": str(extracted.target), "files": extracted.files, "bytes": extracted.size_bytes},
            session.format,
        )
    elif sys.stderr.isatty():
        output.note(
            f"{extracted.files} file{'' if extracted.files == 1 else 's'}, {bytes_text(extracted.size_bytes)}, copied to {extracted.target}"
        )
