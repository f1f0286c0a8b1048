"""`jobctl replay`: sends callback deliveries again, under their own ids."""

from typing import Annotated

import typer

from jobctl import output
from jobctl.session import of

EXAMPLES = """
  jobctl deliveries @last
  jobctl replay 17
"""


def replay(
    ctx: typer.Context,
    deliveries: Annotated[
        list[int], typer.Argument(metavar="DELIVERY...", min=1, help="Numbers from jobctl deliveries.")
    ],
) -> None:
    """Send callback deliveries again: the same event, with the same id and number."""
    session = of(ctx)
    client = session.client()
    for delivery in deliveries:
        client.call("POST", f"/v1/deliveries/{delivery}/replay", None, b"{}")
        if session.format not in ("json", "yaml"):
            output.text(f"{delivery}\n")
    if session.format in ("json", "yaml"):
        output.tree({"replayed": deliveries}, session.format)
