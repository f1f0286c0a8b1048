"""Runs a command beside a job's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import job_path
from jobctl.errors import JobctlError
from jobctl.interactive.websocket import connect
from jobd.wire import channel

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.interactive.session import Session


def execute(client: Client, job_id: str, session: Session, request: dict[str, Any]) -> int:
    """Runs the command of a request, and returns its exit code. Raises as `Session.run`; NotFound; Conflict: the job's command does not run."""
    socket = connect(client, job_path(job_id, "exec"))
    size = session.size() if request["tty"] else None
    sent = {name: value for name, value in request.items() if value not in (None, False, {})}
    if size is not None:
        sent["size"] = size
    socket.put(channel.STATUS, json.dumps(sent).encode())
    code = (session.run(socket).get("exit") or {}).get("exitCode")
    if not isinstance(code, int):
        raise JobctlError("the engine does not know the command's exit code", code="exit-code-unknown")
    return code
