"""Arguments and options that several commands share."""

from typing import Annotated

import typer

_IDS_HELP = "Ids, unique prefixes of ids, or @last."

Id = Annotated[
    str, typer.Argument(metavar="ID", help="An id, a unique prefix of an id, or @last.", show_default=False)
]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help=_IDS_HELP, show_default=False)]
OptionalIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help=_IDS_HELP, show_default=False)
]
Label = Annotated[
    list[str] | None,
    typer.Option("-l", "--label", metavar="KEY=VALUE", help="All jobs with this label, active or ended."),
]
LabelFilter = Annotated[
    list[str] | None, typer.Option("-l", "--label", metavar="KEY=VALUE", help="Only jobs with this label.")
]
Running = Annotated[
    bool, typer.Option("--running", help="Running jobs stand still too, until they are resumed.")
]
DetachKeys = Annotated[
    str | None,
    typer.Option(
        "--detach-keys",
        metavar="KEYS",
        help="The keys that leave a terminal; empty: none. [ctrl-p,ctrl-q]",
    ),
]
