"""`jobctl cp`: files out of a job's workspace, as the caller's own."""

import sys
from typing import Annotated

import typer

from jobctl import output
from jobctl.errors import Misuse, NotFound, OutputMissing
from jobctl.ids import resolve
from jobctl.quantities import bytes_text
from jobctl.session import of

EXAMPLES = """
  jobctl cp @last:result.csv .
  jobctl cp trainer-3f:models ./models
  jobctl cp @last:. everything/
  jobctl cp @last:logs - | tar t

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
            metavar="DEST", help="A local file or folder; - is a tar on stdout.", show_default=False
        ),
    ],
) -> None:
    """Copy files out of a job's workspace. Existing files are replaced, folders are merged."""
    session = of(ctx)
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
        if destination == "-":
            from jobctl.client import read_blocks
            from jobctl.fetch import opened

            with opened(client, job_id, path) as response:
                for block in read_blocks(response):
                    sys.stdout.buffer.write(block)
            return
        from jobctl.fetch import fetch

        made = fetch(client, job_id, path, destination)
    except OutputMissing as error:
        raise NotFound(
            error.message, hint=f"jobctl cp {job_id}:. DIRECTORY copies all that there is"
        ) from None
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
