"""An event in one line: type, job, and the important fields of its data. Pure; unknown types and fields are left out."""

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
    """Returns the time, the type without its prefix, the job, and the data of one CloudEvent."""
    kind = str(event.get("type", "?")).removeprefix(PREFIX)
    return [
        str(event.get("time", "-")),
        kind.ljust(8),
        str(event.get("subject", "-")),
        data_text(kind, event.get("data")),
    ]


def data_text(kind: str, data: Any) -> str:
    """Returns the important fields of an event of this type (`exit`, `log`, ...); "" for an unknown type."""
    if not isinstance(data, dict):
        return ""
    if kind == "log":
        return _log(data)
    if data.get("error") == f"the command exited with code {data.get('exitCode')}":
        data = {**data, "error": None}  # the exit code says the same
    named = ((name, data.get(name)) for name in _FIELDS.get(kind, ()))
    return " ".join(f"{name}={value}" for name, value in named if value is not None)


def _log(data: Tree) -> str:
    lines = data.get("lines")
    lines = lines if isinstance(lines, list) else []
    first = str(lines[0])[:LONGEST_LOG_TEXT] if lines else ""
    return f"{data.get('stream', '')} {len(lines)} line{'' if len(lines) == 1 else 's'}: {first}"
