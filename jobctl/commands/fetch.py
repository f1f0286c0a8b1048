"""`jobctl fetch`: the outputs of a detached job, as the caller's own files."""

from typing import Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import Conflict, Misuse, NotFound
from jobctl.job.ids import find
from jobctl.output import output

EXAMPLES = """
  id=$(jobctl run -d --out model.bin=./models/ trainer:1)
  jobctl fetch "$id"
  jobctl fetch @last ./here

Outputs of a detached job are kept until its record goes (HISTORY_RETENTION), also when they were fetched before.
"""
FORMATS = ("json", "yaml")
TERMINAL = ("completed", "failed", "cancelled")


def fetch(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="ID", help="An id, a unique prefix of it, or @last.")],
    directory: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIRECTORY]",
            help="Where to, instead of where --out said; each output goes inside under its own name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the outputs of a job that was run with --out PATH=LOCAL, detached or not.

    They go where --out said, seen from where the job was submitted. jobctl wait and jobctl logs -f fetch them too, once.
    """
    from jobctl.job.transfers import Carry
    from jobctl.transfers.local_outputs import fetch_all, recall

    session = of(ctx)
    client = session.client()
    found = find(client, job)
    job_id, uid = str(found["id"]), str(found.get("uid") or "")
    outputs = [entry for entry in found.get("outputs") or [] if isinstance(entry, dict) and entry.get("path")]
    if not outputs:
        raise NotFound(
            f"{job_id} was submitted without outputs to fetch",
            hint=f"any file of it: jobctl cp {job_id}:PATH DEST",
        )
    if found["status"] not in TERMINAL:
        raise Conflict(f"{job_id} has not ended yet", hint=f"jobctl wait {job_id}")
    there = [str(entry["path"]) for entry in outputs if entry.get("status") in ("kept", "present")]
    for entry in outputs:
        if entry.get("status") not in ("kept", "present"):
            why = entry.get("error") or entry.get("status")
            output.note(
                f"left out {entry['path']}: {'the command did not succeed' if why == 'pending' else why}"
            )
    if not there:
        raise NotFound(f"{job_id} has no outputs to fetch", hint=f"jobctl explain {job_id}")
    if directory is not None:
        into = directory if directory.endswith("/") else directory + "/"
        wanted = tuple(Carry(path, into) for path in there)
    else:
        wanted = tuple(carry for carry in recall(uid)[0] if (carry.path.rstrip("/") or ".") in there)
        if not wanted:
            raise Misuse(
                f"it is not known here where the outputs of {job_id} go",
                hint=f"jobctl fetch {job_id} DIRECTORY",
            )
    fetched = fetch_all(client, job_id, wanted)
    if session.format:
        outputs_of = [{"path": path, "target": target} for path, target in fetched]
        output.tree({"id": job_id, "outputs": outputs_of}, session.format)
