"""`jobctl version`: prints the versions of jobctl, jobd and the engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError
from jobctl.output import output

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl version
  jobctl version --client
"""


def version(
    ctx: typer.Context,
    client_only: Annotated[
        bool,
        typer.Option("--client", help="Print only the version of jobctl, without a request to the daemon."),
    ] = False,
) -> None:
    """Show the versions of jobctl, jobd and the engine."""
    session = session_of(ctx)
    tree: dict[str, Any] = {"jobctl": own_version()}
    failure: JobctlError | None = None
    if not client_only:
        try:
            tree["jobd"] = json.loads(session.client().get("/v1/version"))
        except JobctlError as error:
            failure = error
    if session.format in ("json", "yaml"):
        output.tree(tree, session.format)
    else:
        daemon = tree.get("jobd") or {}
        output.fields(
            (name, str(value))
            for name, value in (
                ("jobctl", tree["jobctl"]),
                ("jobd", daemon.get("version")),
                ("engine", engine_text(daemon.get("engine") or {})),
                ("instance", daemon.get("instance")),
            )
            if value
        )
    if failure is not None:
        raise failure


def own_version() -> str:
    """Returns the version of the installed package; `0` for a source tree without installation."""
    from importlib import metadata

    try:
        return metadata.version("jobd")
    except metadata.PackageNotFoundError:
        return "0"


def engine_text(engine: dict[str, Any]) -> str:
    """Returns the engine's name and versions in one line."""
    parts = [str(engine[key]) for key in ("name", "version") if engine.get(key)]
    if engine.get("apiVersion"):
        parts.append(f"(API {engine['apiVersion']})")
    return " ".join(parts) or ", ".join(f"{key}={value}" for key, value in engine.items())
