"""`jobctl explain`: explains why a job waits or failed, and what helps."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError
from jobctl.output import output
from jobctl.output.explanation.explanation import Explanation, explanation, undelivered_of
from jobctl.selection.ids import find_each

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import Ids
    from jobctl.connection.client import Client

FORMATS = ("json", "yaml")
EXAMPLES = """
  jobctl explain @last
"""
LAST_LINES = 5
LONGEST_LINE = 400


def explain(
    ctx: typer.Context,
    ids: Ids,
) -> None:
    """Explain why a job waits or failed, and what helps. Shows the last lines of its stderr, and its undelivered events."""
    session = session_of(ctx)
    client = session.client()
    jobs, failures = find_each(client, ids)
    version = _version(client) if any(job["status"] in ("failed", "unreadable") for job in jobs) else {}
    explanations = [(str(job["id"]), _explained(client, job, version)) for job in jobs]
    if session.format in ("json", "yaml"):
        output.tree({"jobs": [_tree(job_id, each) for job_id, each in explanations]}, session.format)
    else:
        for job_id, each in explanations:
            _show(job_id, each)
    output.fail(failures, as_json=session.format == "json")


def _version(client: Client) -> dict[str, Any]:
    """Returns what the daemon says of itself and its engine; nothing where it does not answer."""
    try:
        answer: dict[str, Any] = json.loads(client.get("/v1/version"))
    except (JobctlError, ValueError):
        return {}
    return answer


def _explained(client: Client, job: dict[str, Any], version: dict[str, Any]) -> Explanation:
    if job["status"] == "unreadable":
        return explanation(job, version=version)
    from jobctl.commands.events.deliveries import pages_of

    lines = last_lines(client, str(job["id"])) if job["status"] == "failed" else []
    try:
        undelivered = undelivered_of(chain.from_iterable(pages_of(client, str(job["id"]), None)))
    except JobctlError:
        undelivered = None  # explain the rest
    return explanation(job, lines, undelivered, version)


def last_lines(client: Client, job_id: str) -> list[str]:
    """Returns the last lines of a job's stderr; none where the log cannot be read."""
    from jobctl.connection.log_stream import frames

    lines: list[str] = []
    try:
        for batch in frames(client, job_id, follow=False, tail=LAST_LINES, stream="stderr"):
            lines += [frame.line[:LONGEST_LINE] for frame in batch if frame.end is None and frame.line]
    except JobctlError:
        pass
    return lines[-LAST_LINES:]


def _tree(job_id: str, each: Explanation) -> dict[str, Any]:
    return {
        "id": job_id, "what": each.what, "cause": each.cause, "attempts": list(each.attempts),
        "artifacts": list(each.artifacts), "lastLines": list(each.last_lines), "undelivered": each.undelivered,
        "remedies": list(each.remedies),
    }  # fmt: skip


def _show(job_id: str, each: Explanation) -> None:
    output.text(f"{job_id}: {output.printable(each.what)}\n")
    if each.cause:
        cause = output.printable(each.cause, keep_newlines=True)
        output.text("  because: " + cause.replace("\n", "\n           ") + "\n")
    for attempt in each.attempts:
        output.text(f"  attempt {output.printable(attempt)}\n")
    for artifact in each.artifacts:
        output.text(f"  artifact {output.printable(artifact)}\n")
    for line in each.last_lines:
        output.text(f"  stderr | {output.printable(line)}\n")
    for remedy in each.remedies:
        output.text(f"  - {output.printable(remedy)}\n")
