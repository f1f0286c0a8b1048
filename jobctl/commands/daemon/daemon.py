"""`jobctl daemon`: installs jobd on this machine, starts and stops it, shows its state and its log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError, Misuse
from jobctl.job.outcome import DaemonStopped, Outcome
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.connection.session import Session
    from jobctl.daemon.manager import Manager
    from jobctl.daemon.status import Status

FORMATS = ("table", "json", "yaml")
EXAMPLES = """
  jobctl daemon install
  jobctl daemon status
  jobctl daemon logs -f
  jobctl daemon reload
  sudo jobctl daemon install --system
  jobctl daemon start && jobctl run busybox echo hello
"""
ACTIONS = ("status", "install", "start", "stop", "restart", "reload", "logs", "uninstall")
LINES = 100
ANSWER_S = 5.0
_MANAGERS = {
    "systemd-user": "systemd, as a service of this user",
    "systemd-system": "systemd, as a service of this machine",
    "process": "a background process, without systemd",
}


def daemon(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="[ACTION]", help=f"{', '.join(ACTIONS)}.", show_default=False)
    ] = "status",
    system: Annotated[
        bool, typer.Option("--system", help="The service of the whole machine instead of this user's.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="logs: print what comes too, until Ctrl-C.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            metavar="N",
            min=0,
            show_default=False,
            help=f"logs: the last N lines, {LINES} without this.",
        ),
    ] = None,
) -> Outcome | None:
    """Install jobd on this machine, start and stop it, show its state and its log.

    install makes jobd a service of systemd, of this user or with --system of the whole machine; start starts that service, or without one
    a background process. reload has jobd read jobd.toml, its key and its certificate again, and names the settings that need restart.
    Jobs that run go on while jobd is stopped, and jobd finds them again. uninstall leaves jobd's state. status exits with 3 where jobd
    does not run.
    """
    import os

    from jobctl.daemon.manager import installer, manager_of

    session = session_of(ctx)
    _check(session, action, follow, tail)
    if action == "install":
        service = installer(os.environ, system=system)
        _done(session, service.install(), service)
        return None
    manager = manager_of(os.environ, system=system)
    if action == "logs":
        for text in manager.log_texts(LINES if tail is None else tail, follows=follow):
            output.text(text)
            sys.stdout.flush()
        return None
    if action == "status":
        status = manager.status()
        _show(session, status)
        return None if status.running else DaemonStopped()
    calls = {
        "start": manager.start,
        "stop": manager.stop,
        "restart": manager.restart,
        "reload": manager.reload,
        "uninstall": manager.uninstall,
    }
    _done(session, calls[action](), manager)
    return None


def _check(session: Session, action: str, follow: bool, tail: int | None) -> None:
    """Raises Misuse where the action is unknown, or has a flag or a format of another action."""
    if action not in ACTIONS:
        from jobctl.suggestion import nearest

        near = nearest(action, ACTIONS, ("stop", "uninstall"))
        hint = f"did you mean: jobctl daemon {near}" if near else f"use one of {', '.join(ACTIONS)}"
        raise Misuse(f"jobctl daemon has no action {action!r}", hint=hint)
    if action == "logs":
        if session.format:
            raise Misuse(
                "jobctl daemon logs prints jobd's log as it is, and has no formats", hint="jobctl daemon logs"
            )
    elif follow or tail is not None:
        raise Misuse(
            f"{'--follow' if follow else '--tail'} belongs to jobctl daemon logs",
            hint="jobctl daemon logs -f",
        )


def _done(session: Session, said: list[str], manager: Manager) -> None:
    """Prints what was done: sentences for people, else the state after it."""
    for each in said:
        output.note(each)
    if session.format in ("json", "yaml"):
        output.tree(_tree(session, manager.status()), session.format)


def _show(session: Session, status: Status) -> None:
    tree = _tree(session, status)
    if session.format in ("json", "yaml"):
        output.tree(tree, session.format)
        return
    output.fields((name, value) for name, value in _lines(status, tree) if value)


def _lines(status: Status, tree: dict[str, Any]) -> list[tuple[str, str]]:
    scope = " --system" if status.manager == "systemd-system" else ""
    starts = ""
    if status.enabled:
        goes_on = status.lingers or status.manager == "systemd-system"
        starts = (
            "with the machine"
            if goes_on
            else "with your login, and ends with it; to keep it: loginctl enable-linger"
        )
    elif status.enabled is not None:
        starts = f"not by itself; to change that: jobctl daemon install{scope}"
    answers = f"jobd {tree.get('version', '')} at {tree['address']}" if "address" in tree else "nothing"
    return [
        ("run by", _MANAGERS[status.manager]),
        ("state", status.state),
        ("pid", str(status.pid or "")),
        ("since", str(tree.get("since", ""))),
        ("starts", starts),
        ("unit", status.unit or ""),
        ("log", status.log or (f"jobctl daemon logs{scope}" if status.unit else "")),
        ("answers", answers),
    ]


def _tree(session: Session, status: Status) -> dict[str, Any]:
    """Returns the state with the answer of the daemon that jobctl finds, which need not be the one that `status` is of."""
    tree: dict[str, Any] = {"manager": status.manager, "running": status.running, "state": status.state}
    more = {
        "pid": status.pid,
        "since": None if status.since is None else _time(status.since),
        "unit": status.unit,
        "enabled": status.enabled,
        "lingers": status.lingers,
        "log": status.log,
    }
    tree |= {name: value for name, value in more.items() if value is not None}
    return tree | _answer(session)


def _answer(session: Session) -> dict[str, str]:
    import json

    client = session.client()
    try:
        version = json.loads(client.call("GET", "/v1/version", timeout_s=ANSWER_S)).get("version")
    except (JobctlError, ValueError, AttributeError):
        return {}
    return {"address": str(client.target), "version": str(version)}


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
