"""`jobctl cancel`: ends jobs; their records, logs and files stay."""

import math
from typing import Annotated

import typer

from jobctl import output
from jobctl.attach import cancel as ask
from jobctl.errors import JobctlError, Misuse
from jobctl.ids import find
from jobctl.quantities import seconds_of
from jobctl.session import of

EXAMPLES = """
  jobctl cancel @last
  jobctl cancel --grace 0 stuck-job
"""


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, unique prefixes of them, or @last.")
    ],
    grace: Annotated[
        str | None,
        typer.Option(
            "--grace", metavar="DURATION", help="Time to end by itself before it is killed; 0: none."
        ),
    ] = None,
) -> None:
    """End jobs and keep their records."""
    session = of(ctx)
    try:
        grace_s = None if grace is None else math.ceil(seconds_of(grace))
    except ValueError as error:
        raise Misuse(f"--grace: {error}") from None
    client = session.client()
    failures: list[JobctlError] = []
    done: list[str] = []
    for text in ids:
        try:
            job = find(client, text)
            if job["status"] in ("completed", "failed", "cancelled"):
                output.note(f"{job['id']} had ended already: {job['status']}")
                continue
            ask(client, job["id"], grace_s=grace_s)
            done.append(job["id"])
        except JobctlError as error:
            failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"cancelling": done}, session.format)
    else:
        output.text("".join(f"{job_id}\n" for job_id in done))
    for failure in failures[1:]:
        output.error(failure, as_json=session.format == "json")
    if failures:
        raise failures[0]
