"""`jobctl group`: lists the groups of the queue, sets their limits, pauses, resumes and removes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import Misuse, NotFound
from jobctl.job.requests.pausing import request_pause
from jobctl.output import output
from jobctl.output.table import Table
from jobctl.selection.groups import QUEUE, group_path, no_group

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer

    from jobctl.commands.arguments import Running
    from jobctl.connection.client import Client
    from jobctl.connection.session import Session

FORMATS = ("table", "json", "yaml", "name")
EXAMPLES = """
  jobctl group ls
  jobctl group set gpu --max 1
  jobctl group set gpu --no-max
  jobctl group pause night
  jobctl group resume night
  jobctl group rm night
"""
ACTIONS = ("set", "ls", "pause", "resume", "rm")
TABLE = Table(("GROUP", "LIMIT", "PAUSED", "RUNNING", "WAITING"))
TIMEOUT_S = 30.0


def group(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="[ACTION]", help=f"{', '.join(ACTIONS)}.", show_default=False)
    ] = "ls",
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The name of a group.", show_default=False)
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--max", metavar="N", show_default=False, help="set: at most N jobs of the group run at once."
        ),
    ] = None,
    no_max: Annotated[bool, typer.Option("--no-max", help="set: remove the limit of the group.")] = False,
    running: Running = False,
) -> None:
    """List the groups of the queue, limit, pause, resume or remove them.

    Jobs join a group with --group NAME; without it their group is default. set NAME changes a group's limit, and makes the group.
    pause NAME lets no job of the group start until resume NAME; with --running its running jobs stand still too. rm NAME removes a
    group's settings. The limit of the group and the limit of jobd both hold.
    """
    session = session_of(ctx)
    _check(action, name, most, no_max, running)
    if name is None:
        _list(session)
    elif action == "set":
        body = {} if most is None else {"limit": most}
        answer = session.client().call(
            "PUT", group_path(name), None, json.dumps(body).encode(), None, TIMEOUT_S
        )
        _show(session, json.loads(answer))
    elif action == "rm":
        _change(
            session, action, name, lambda client: client.call("DELETE", group_path(name), timeout_s=TIMEOUT_S)
        )
        output.ids("removed", [name], session.format)
    else:
        _show(
            session,
            _change(
                session,
                action,
                name,
                lambda client: request_pause(
                    client, group_path(name), paused=action == "pause", running=running
                ),
            ),
        )


def _check(action: str, name: str | None, most: int | None, no_max: bool, running: bool) -> None:
    """Raises Misuse where the action is unknown, lacks an argument, or has one of another action."""
    if action not in ACTIONS:
        from jobctl.suggestion import nearest

        near = nearest(action, ACTIONS, ())
        hint = f"did you mean: jobctl group {near}" if near else f"use one of {', '.join(ACTIONS)}"
        raise Misuse(f"jobctl group has no action {action!r}", hint=hint)
    if action == "ls" and name is not None:
        raise Misuse("jobctl group ls takes no name", hint="jobctl group ls lists all groups")
    if action != "ls" and not name:
        raise Misuse(
            f"jobctl group {action} needs the name of a group", hint="jobctl group ls lists the groups"
        )
    if action != "set" and (most is not None or no_max):
        flag = "--no-max" if no_max else "--max"
        raise Misuse(f"{flag} belongs to jobctl group set", hint="jobctl group set NAME --max N")
    if action != "pause" and running:
        raise Misuse("--running belongs to jobctl group pause", hint="jobctl group pause NAME --running")
    if action == "set" and most is None and not no_max:
        raise Misuse("give --max N or --no-max", hint=f"jobctl group set {name} --max 1")
    if most is not None and no_max:
        raise Misuse("--max and --no-max contradict each other", hint="give only one of them")
    if most is not None and most < 1:
        raise Misuse(
            f"--max must be at least 1, and {most} is not",
            hint=f"to start no job of the group: jobctl group pause {name}",
        )


def _list(session: Session) -> None:
    queue = json.loads(session.client().get(QUEUE))
    groups = queue["groups"]
    if session.format in ("json", "yaml"):
        output.tree(queue, session.format)
    elif session.format == "name":
        output.text("".join(f"{each['name']}\n" for each in groups))
    else:
        _table(groups)
        if queue.get("paused"):
            still = ", and running jobs stand still," if queue.get("runningPaused") else ""
            output.note(f"the queue is paused: no job of any group starts{still} until jobctl resume")


def _show(session: Session, one: dict[str, Any]) -> None:
    if session.format in ("json", "yaml"):
        output.tree(one, session.format)
    elif session.format == "name":
        output.text(f"{one['name']}\n")
    else:
        _table([one])


def _table(groups: list[dict[str, Any]]) -> None:
    from jobctl.output.drawing import table

    table(TABLE, [_row(each) for each in groups])


def _row(one: dict[str, Any]) -> list[str]:
    limit = one.get("limit")
    paused = "frozen" if one.get("runningPaused") else "yes" if one.get("paused") else "-"
    return [
        str(one["name"]), "-" if limit is None else str(limit), paused,
        str(one["running"]), str(one["waiting"]),
    ]  # fmt: skip


def _change(session: Session, action: str, name: str, change: Callable[[Client], Any]) -> Any:
    """Returns what `change` returns. Raises NotFound with similar names where the group does not exist."""
    client = session.client()
    try:
        return change(client)
    except NotFound as error:
        raise no_group(client, name, error.message, f"jobctl group {action}") from None
