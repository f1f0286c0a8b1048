"""`jobctl cp`: files out of a job's workspace, as the caller's own."""

import sys
from typing import Annotated

import typer

from jobctl import output
from jobctl.errors import LocalFile, Misuse, NotFound, OutputMissing
from jobctl.ids import resolve
from jobctl.quantities import bytes_text, size_bytes
from jobctl.session import of

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
            metavar="DEST", help="A local file or folder; - is a tar on stdout.", show_default=False
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
    """Copy files out of a job's workspace. Existing files are replaced, folders are merged.

    A file that is larger than what is left of --max-size is refused before anything of it is written, so that a sparse file of a
    job does not fill the disk. Zeros are written as holes.
    """
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
        if destination == "-":
            from jobctl.client import read_blocks
            from jobctl.fetch import opened

            if session.format:
                raise Misuse(
                    f"a tar on stdout cannot be printed as {session.format}", hint="leave -o and --json out"
                )
            if sys.stdout.isatty():
                raise Misuse("a tar is not written to a terminal", hint=f"jobctl cp {source} - | tar t")
            written = 0
            with opened(client, job_id, path) as response:
                for block in read_blocks(response):
                    written += len(block)
                    if max_bytes is not None and written > max_bytes:
                        raise LocalFile(f"{path!r} has more than --max-size {max_size}; the tar ends here")
                    sys.stdout.buffer.write(block)
            return
        from jobctl.fetch import fetch

        made = fetch(client, job_id, path, destination, max_bytes)
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
