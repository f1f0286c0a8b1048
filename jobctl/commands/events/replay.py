"""`jobctl replay`: sends callback deliveries again, with the same event ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.client import job_path
from jobctl.connection.session import Session, session_of
from jobctl.errors import JobctlError, Misuse
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.connection.client import Client

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl deliveries @last
  jobctl replay 17
  jobctl replay --job @last
"""


def replay(
    ctx: typer.Context,
    deliveries: Annotated[
        list[int] | None,
        typer.Argument(metavar="[DELIVERY]...", min=1, help="Delivery numbers from jobctl deliveries."),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="ID", help="All given-up deliveries of this job: parked or abandoned."),
    ] = None,
) -> None:
    """Send callback deliveries again: the same events, with the same ids and numbers."""
    session = session_of(ctx)
    if bool(deliveries) == (job is not None):
        raise Misuse(
            "give either deliveries or --job", hint="jobctl deliveries ID lists the deliveries of a job"
        )
    client = session.client()
    if job is not None:
        _replay_job(session, client, job)
        return
    failures: list[JobctlError] = []
    done: list[int] = []
    for delivery in deliveries or ():
        try:
            client.call("POST", f"/v1/deliveries/{delivery}/replay", None, b"{}")
            done.append(delivery)
        except JobctlError as error:
            failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"replayed": len(done), "deliveries": done}, session.format)
    else:
        output.text("".join(f"{delivery}\n" for delivery in done))
    output.fail(failures, as_json=session.format == "json")


def _replay_job(session: Session, client: Client, job: str) -> None:
    """Sends all given-up deliveries of a job again, in their order. Repeats safely."""
    from jobctl.selection.ids import resolve

    job_id = resolve(client, job)
    answer = json.loads(client.call("POST", job_path(job_id, "deliveries", "replay"), None, b"{}"))
    count = int(answer["replayed"])
    if session.format in ("json", "yaml"):
        output.tree({"replayed": count, "id": job_id}, session.format)
    else:
        output.text(f"{count}\n")
        output.note(f"{job_id}: jobd sends {count} deliver{'y' if count == 1 else 'ies'} again")
