"""`jobctl replay`: sends callback deliveries again, under their own ids."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobctl import output
from jobctl.errors import JobctlError, Misuse, NotFound
from jobctl.session import of

if TYPE_CHECKING:
    from jobctl.client import Client

EXAMPLES = """
  jobctl deliveries @last
  jobctl replay 17
  jobctl replay --job @last
"""


def replay(
    ctx: typer.Context,
    deliveries: Annotated[
        list[int] | None,
        typer.Argument(metavar="[DELIVERY]...", min=1, help="Numbers from jobctl deliveries."),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="ID", help="All of this job's that are parked, in their order."),
    ] = None,
) -> None:
    """Send callback deliveries again: the same event, with the same id and number."""
    session = of(ctx)
    if bool(deliveries) == (job is not None):
        raise Misuse("either deliveries or --job is needed", hint="jobctl deliveries ID lists them")
    client = session.client()
    failures: list[JobctlError] = []
    if job is not None:
        from jobctl.ids import resolve

        job_id = resolve(client, job)
        done = parked_again(client, job_id)
        if not done:
            output.note(f"{job_id} has no parked deliveries")
    else:
        done = []
        for delivery in deliveries or ():
            try:
                one_again(client, delivery)
                done.append(delivery)
            except JobctlError as error:
                failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"replayed": done}, session.format)
    else:
        output.text("".join(f"{delivery}\n" for delivery in done))
    for failure in failures[1:]:
        output.error(failure, as_json=session.format == "json")
    if failures:
        raise failures[0]


def one_again(client: "Client", delivery: int) -> None:
    """Has one delivery sent again. Raises NotFound: there is none of this number."""
    client.call("POST", f"/v1/deliveries/{delivery}/replay", None, b"{}")


def parked_again(client: "Client", job_id: str) -> list[int]:
    """Has all parked deliveries of a job sent again, oldest first, and returns their numbers. Repeats safely."""
    from jobctl.commands.deliveries import deliveries_of

    done: list[int] = []
    for entry in deliveries_of(client, job_id, "parked"):
        try:
            one_again(client, int(entry["id"]))
        except NotFound:
            continue  # the job was removed meanwhile
        done.append(int(entry["id"]))
    return done
