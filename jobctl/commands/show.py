"""`jobctl show`: all that is known about jobs."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobctl.connection.session import of
from jobctl.job.ids import find_each
from jobctl.job.units import age, bytes_text, parse_time, short_duration
from jobctl.output import output
from jobctl.output.progress import waiting_words

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl show @last
  jobctl show trainer-3f --json | jq '.jobs[].attempts'
"""


def show(
    ctx: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, unique prefixes of them, or @last.")
    ],
) -> None:
    """Show all that is known about jobs: state, times, limits, attempts, artifacts."""
    session = of(ctx)
    client = session.client()
    jobs, failures = find_each(client, ids)
    if session.format == "name":
        output.text("".join(f"{job['id']}\n" for job in jobs))
    elif session.format in ("json", "yaml"):
        output.tree({"jobs": jobs}, session.format)
    else:
        for number, job in enumerate(jobs):
            if number:
                output.text("\n")
            output.fields(described(job, datetime.now(UTC)))
    output.fail(failures, as_json=session.format == "json")


def described(job: dict[str, Any], now: datetime) -> list[tuple[str, str]]:
    """Returns names and values of a job's facts, in the order in which they are read; what is absent is left out."""
    command = job.get("command")
    code = job.get("exitCode")
    reason = job.get("reason")
    attempts = job.get("attempts") or []
    facts: list[tuple[str, Any]] = [
        ("Id", job["id"]),
        ("Status", job["status"] + (f" ({reason})" if reason and reason != job["status"] else "")),
        ("Exit code", None if code is None else str(code)),
        ("Error", job.get("error") if job["status"] != "cancelled" else None),
        ("Cancelled by", job.get("cancelledBy")),
        ("Cancelled for", job.get("cancelReason")),
        ("Phase", job.get("phase") if job.get("phase") != "done" else None),
        ("Waiting for", waiting_words(job, now)),
        ("Queue position", None if job.get("queuePosition") is None else str(job["queuePosition"])),
        ("Image", job.get("image")),
        ("Digest", job.get("imageDigest")),
        ("Command", " ".join(map(str, command)) if isinstance(command, list) else command),
        ("Owner", job.get("owner")),
        ("Labels", output.labels(job["labels"]) if job.get("labels") else None),
        ("Meta", output.labels(job["meta"]) if job.get("meta") else None),
        ("Limits", _limits(job.get("limits"))),
        ("Created", _moment(job.get("createdAt"), now)),
        ("Started", _moment(job.get("startedAt"), now)),
        ("Ended", _moment(job.get("finishedAt"), now)),
        ("Ran for", _between(job.get("startedAt"), job.get("finishedAt"))),
        ("Files until", job.get("filesUntil")),
        ("Attempts", "\n".join(map(attempt_text, attempts)) if len(attempts) > 1 else None),
        ("Artifacts", "\n".join(map(_artifact, job.get("artifacts") or [])) or None),
        ("Outputs", "\n".join(map(_output, job.get("outputs") or [])) or None),
        ("Uid", job.get("uid")),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _limits(limits: dict[str, Any] | None) -> str | None:
    if not limits:
        return None
    seconds = short_duration(float(limits.get("timeoutSeconds", 0)))
    return (
        f"{limits.get('cpu'):g} cores, {limits.get('memory')} MiB, {limits.get('pids')} processes, {seconds}"
    )


def _moment(text: str | None, now: datetime) -> str | None:
    return f"{text} ({age(text, now)} ago)" if text else None


def _between(start: str | None, end: str | None) -> str | None:
    first, last = parse_time(start), parse_time(end)
    return short_duration((last - first).total_seconds()) if first and last else None


def attempt_text(attempt: dict[str, Any]) -> str:
    """Returns one attempt in a line: its number, how it went, for how long."""
    code, reason = attempt.get("exitCode"), attempt.get("reason")
    took = _between(attempt.get("startedAt"), attempt.get("finishedAt"))
    state = str(reason or ("completed" if attempt.get("finishedAt") else "under way"))
    parts = [state, "" if code is None or (code == 0 and not reason) else f"exit code {code}"]
    said = ", ".join(filter(None, parts)) + (f" after {took}" if took else "")
    return f"{attempt.get('number')}: {said}"


def _artifact(artifact: dict[str, Any]) -> str:
    size = artifact.get("bytes")
    parts = [
        artifact["id"],
        artifact["type"],
        artifact.get("status", "pending"),
        "" if size is None else bytes_text(size),
    ]
    return " ".join(filter(None, parts)) + (f": {artifact['error']}" if artifact.get("error") else "")


def _output(entry: dict[str, Any]) -> str:
    size = entry.get("bytes")
    parts = [entry["path"], entry.get("status", "pending"), "" if size is None else bytes_text(size)]
    return " ".join(filter(None, parts)) + (f": {entry['error']}" if entry.get("error") else "")
