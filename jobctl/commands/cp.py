"""`jobctl cp`: files out of a job's workspace, as the caller's own."""

import sys
from typing import Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import Misuse, NotFound, OutputMissing
from jobctl.job.ids import resolve
from jobctl.job.units import bytes_text, size_bytes
from jobctl.output import output

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl cp @last:result.csv .
  jobctl cp trainer-3f:models ./models
  jobctl cp @last:. everything/
  jobctl cp @last:logs - | tar t
  jobctl cp --max-size 2t @last:disk.img .

Files can be had until the job's workspace is removed: "Files until" of jobctl show.
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
            help="What PATH becomes; a folder to put it into, where this ends in / or is a dot; - is stdout.",
            show_default=False,
        ),
    ],
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="The most that all files may have together: 500m, 20g, 2t. [the disk's free space less a twentieth]",
        ),
    ] = None,
) -> None:
    """Copy files out of a job's workspace.

    DEST becomes what PATH is, and the same command again gives the same. Where DEST ends in / or is a dot, PATH goes into that folder,
    under its own name. A file is replaced at once and keeps its mode; links are followed; devices and FIFOs are written to. A folder is
    replaced as a whole, at once, and only where all that is in it was written by jobctl and not changed since. On stdout a file is
    its content, a folder a tar.

    A file that is larger than what is left of --max-size is refused before anything of it is written, so that a sparse file of a
    job does not fill the disk. Zeros are written as holes.
    """
    from jobctl.transfers.destination import Place, check
    from jobctl.transfers.destination import resolve as resolve_place
    from jobctl.transfers.fetch import fetch

    session = of(ctx)
    try:
        max_bytes = None if max_size is None else size_bytes(max_size)
    except ValueError as error:
        raise Misuse(f"--max-size: {error}") from None
    name, colon, path = source.partition(":")
    if not colon or not name or not path:
        if ":" in destination:
            raise Misuse(
                "files are copied out of a job only",
                hint="into one, before its start: jobctl run --in PATH=SOURCE",
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
                f"what goes to stdout cannot be printed as {session.format}", hint="leave -o and --json out"
            )
        made = fetch(client, job_id, path, place, max_bytes)
    except OutputMissing as error:
        raise NotFound(
            error.message, hint=f"jobctl cp {job_id}:. DIRECTORY copies all that there is"
        ) from None
    if made is None:
        return
    for skipped in made.skipped:
        output.note(f"left out {skipped}: only files and folders are copied")
    if session.format in ("json", "yaml"):
        output.tree(
            {"target": str(made.target), "files": made.files, "bytes": made.size_bytes}, session.format
        )
    elif sys.stderr.isatty():
        output.note(
            f"{made.files} file{'' if made.files == 1 else 's'}, {bytes_text(made.size_bytes)}, to {made.target}"
        )
