"""`jobctl fetch`: copies the outputs of a detached job to local files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import Conflict, Misuse, NotFound
from jobctl.output import output
from jobctl.selection.ids import find

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import Id

EXAMPLES = """
  id=$(jobctl run -d --out model.bin=./models/ trainer:1)
  jobctl fetch "$id"
  jobctl fetch @last ./here

jobd keeps the outputs of a detached job as long as its record (HISTORY_RETENTION), also after they were fetched.
"""
FORMATS = ("json", "yaml")
TERMINAL = ("completed", "failed", "cancelled")


def fetch(
    ctx: typer.Context,
    job: Id,
    directory: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIRECTORY]",
            help="The folder for the outputs. [the destinations of --out]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the outputs of a job that was run with --out PATH=LOCAL, detached or not.

    Each output goes to its destination in --out, relative to the directory of the submission, or into DIRECTORY under its own name.
    jobctl wait and jobctl logs -f fetch outputs too, once.
    """
    from jobctl.transfers.local_outputs import fetch_all, recall, sizes_of
    from jobctl.transfers.transfer_flags import Transfer

    session = session_of(ctx)
    client = session.client()
    record = find(client, job)
    job_id, uid = str(record["id"]), str(record.get("uid") or "")
    outputs = [
        entry for entry in record.get("outputs") or [] if isinstance(entry, dict) and entry.get("path")
    ]
    if not outputs:
        raise NotFound(
            f"{job_id} has no outputs: it was submitted without --out",
            hint=f"to copy any of its files: jobctl cp {job_id}:PATH DEST",
        )
    if record["status"] not in TERMINAL:
        raise Conflict(f"{job_id} has not ended yet", hint=f"to wait for its end: jobctl wait {job_id}")
    available = [str(entry["path"]) for entry in outputs if entry.get("status") in ("kept", "present")]
    for entry in outputs:
        if entry.get("status") not in ("kept", "present"):
            why = entry.get("error") or entry.get("status")
            output.note(
                f"skipped {entry['path']}: {'the command did not succeed' if why == 'pending' else why}"
            )
    if not available:
        raise NotFound(f"{job_id} has no outputs to fetch", hint=f"to see why: jobctl explain {job_id}")
    if directory is not None:
        into = directory if directory.endswith("/") else directory + "/"
        outputs_here = tuple(Transfer(path, into) for path in available)
    else:
        outputs_here = tuple(each for each in recall(uid)[0] if (each.path.rstrip("/") or ".") in available)
        if not outputs_here:
            raise Misuse(
                f"jobctl on this machine has no destinations for the outputs of {job_id}",
                hint=f"name a folder: jobctl fetch {job_id} DIRECTORY",
            )
    fetched = fetch_all(client, job_id, outputs_here, sizes_of(record))
    if session.format:
        outputs_of = [{"path": path, "target": target} for path, target in fetched]
        output.tree({"id": job_id, "outputs": outputs_of}, session.format)
