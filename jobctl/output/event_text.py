"""An event in a line for people: its type, its job, and what matters in its data.

Pure, and tolerant: what a newer daemon sends is shown as far as it is known.
"""

from typing import Any

Tree = dict[str, Any]

PREFIX = "orchestrator.job."
LONGEST_LOG_TEXT = 60
_FIELDS = {
    "exit": ("exitCode", "error"),
    "retry": ("attempt", "reason", "exitCode", "delaySeconds", "error"),
    "complete": ("status", "reason", "exitCode"),
    "artifact": ("artifactId", "artifactType", "status", "error"),
}


def columns(event: Tree) -> list[str]:
    """Returns the time, the type without its prefix, the job, and what its data says, of one CloudEvent."""
    kind = str(event.get("type", "?")).removeprefix(PREFIX)
    return [
        str(event.get("time", "-")),
        kind.ljust(8),
        str(event.get("subject", "-")),
        said(kind, event.get("data")),
    ]


def said(kind: str, data: Any) -> str:
    """Returns what matters in the data of an event of this kind (`exit`, `log`, ...); "" where nothing is known."""
    if not isinstance(data, dict):
        return ""
    if kind == "log":
        return _log(data)
    if data.get("error") == f"the command exited with code {data.get('exitCode')}":
        data = {**data, "error": None}  # says nothing that the number beside it does not
    named = ((name, data.get(name)) for name in _FIELDS.get(kind, ()))
    return " ".join(f"{name}={value}" for name, value in named if value is not None)


def _log(data: Tree) -> str:
    lines = data.get("lines")
    lines = lines if isinstance(lines, list) else []
    first = str(lines[0])[:LONGEST_LOG_TEXT] if lines else ""
    return f"{data.get('stream', '')} {len(lines)} line{'' if len(lines) == 1 else 's'}: {first}"
