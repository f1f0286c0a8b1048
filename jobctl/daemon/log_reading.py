"""What jobd's log says of a start that failed, and of a reload. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from jobctl.errors import JobctlError

MOST_FAULTS = 8
MOST_LINES = 3
_PREFIX = "jobd: "
"""jobd says so what is wrong with its settings."""


def why_it_failed(
    code: int | None, log: str, read_more: str, what: str = "jobd did not start"
) -> JobctlError:
    """Returns the error with what jobd has said last: the faults of its settings, else the last lines of its log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    faults: list[str] = []
    for line in reversed(lines):
        if not line.startswith(_PREFIX):
            break
        faults.insert(0, line.removeprefix(_PREFIX).strip())
    said = faults[:MOST_FAULTS] or lines[-MOST_LINES:]
    ended = what + ("" if code is None else f" (exit code {code})")
    return JobctlError(": ".join(filter(None, (ended, "; ".join(said)))), hint=read_more)


def reload_result(log: str) -> str | None:
    """Returns what the log says of a reload, None if it says nothing yet.

    Raises:
        JobctlError: jobd has refused the settings.
    """
    entries = list(_entries(log))
    faults = [str(entry.get("error")) for entry in entries if entry.get("message") == "settings not reloaded"]
    if faults:
        raise JobctlError(f"jobd keeps its settings: {'; '.join(faults)}", hint="jobd --check-config")
    for entry in entries:
        if entry.get("message") == "settings reloaded":
            changed, waiting = entry.get("changed"), entry.get("needs_restart")
            said = "jobd has read its settings, key and certificate again; "
            said += f"new values: {changed}" if changed else "no setting has a new value"
            return said + (f"; a restart is needed for {waiting}" if waiting else "")
    return None


def _entries(log: str) -> Iterator[dict[str, Any]]:
    """Yields the entries of a log in JSON; other lines are left out."""
    for line in log.splitlines():
        if line.startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
