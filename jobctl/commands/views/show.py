"""`jobctl show`: prints the details of jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobctl.connection.session import session_of
from jobctl.output import output
from jobctl.output.attempt_text import attempt_text, time_between
from jobctl.output.live.progress import waiting_for
from jobctl.selection.ids import find_each
from jobctl.units import age, bytes_text, short_duration

if TYPE_CHECKING:
    import typer

    from jobctl.commands.arguments import Ids

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl show @last
  jobctl show trainer-3f --json | jq '.jobs[].attempts'
"""


def show(
    ctx: typer.Context,
    ids: Ids,
) -> None:
    """Show the details of jobs: state, times, limits, attempts, artifacts."""
    session = session_of(ctx)
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
    """Returns the names and values of a job's details in their printed order, without absent ones."""
    command = job.get("command")
    code = job.get("exitCode")
    reason = job.get("reason")
    attempts = job.get("attempts") or []
    details: list[tuple[str, Any]] = [
        ("Id", job["id"]),
        ("Status", job["status"] + (f" ({reason})" if reason and reason != job["status"] else "")),
        ("Exit code", None if code is None else str(code)),
        (
            "Error",
            job.get("error") if job["status"] != "cancelled" or job.get("reason") == "dependency" else None,
        ),
        ("Cancelled by", job.get("cancelledBy")),
        ("Cancel reason", job.get("cancelReason")),
        ("Phase", job.get("phase") if job.get("phase") != "done" else None),
        ("Waiting for", waiting_for(job, now)),
        ("Queue position", None if job.get("queuePosition") is None else str(job["queuePosition"])),
        ("Priority", str(job["priority"]) if job.get("priority") else None),
        ("Group", job.get("group")),
        ("Set", job.get("set")),
        ("After", ", ".join(map(_dependency, job.get("after") or []))),
        ("Image", job.get("image")),
        ("Digest", job.get("imageDigest")),
        ("Retried from", job.get("retriedFrom")),
        ("Trace", job.get("traceparent")),
        ("Command", " ".join(map(str, command)) if isinstance(command, list) else command),
        ("User", job.get("user")),
        ("Network", job.get("network")),
        ("Ports", "\n".join(map(_port, job.get("ports") or []))),
        ("Mounts", "\n".join(map(_mount, job.get("mounts") or []))),
        ("Owner", job.get("owner")),
        ("Labels", output.labels(job["labels"]) if job.get("labels") else None),
        ("Meta", output.labels(job["meta"]) if job.get("meta") else None),
        ("Limits", _limits(job.get("limits"))),
        ("GPUs", ", ".join(map(str, job.get("gpuDevices") or []))),
        ("Created", _time_and_age(job.get("createdAt"), now)),
        ("Started", _time_and_age(job.get("startedAt"), now)),
        ("Ended", _time_and_age(job.get("finishedAt"), now)),
        ("Stood still", short_duration(job["pausedSeconds"]) if job.get("pausedSeconds") else None),
        ("Ran for", time_between(job.get("startedAt"), job.get("finishedAt"))),
        ("Files until", job.get("filesUntil")),
        ("Attempts", "\n".join(map(attempt_text, attempts)) if len(attempts) > 1 else None),
        ("Artifacts", "\n".join(map(_artifact, job.get("artifacts") or [])) or None),
        ("Outputs", "\n".join(map(_output, job.get("outputs") or [])) or None),
        ("Uid", job.get("uid")),
    ]
    return [(name, str(value)) for name, value in details if value]


def _limits(limits: dict[str, Any] | None) -> str | None:
    if not limits:
        return None
    seconds = short_duration(float(limits.get("timeoutSeconds", 0)))
    cores, gpus = float(limits.get("cpu", 0)), limits.get("gpus")
    return (
        f"{cores:g} core{'s' * (cores != 1)}, {limits.get('memory')} MiB, {limits.get('pids')} processes, {seconds}"
        + (f", {gpus} GPU{'s' * (gpus != 1)}" if gpus else "")
    )


def _port(port: dict[str, Any]) -> str:
    """Returns a port as `-p` takes it."""
    protocol = port.get("protocol", "tcp")
    address = port.get("hostIp", "127.0.0.1")
    text = f"{f'[{address}]' if ':' in address else address}:{port['hostPort']}:{port['containerPort']}"
    return text if protocol == "tcp" else f"{text}/{protocol}"


def _mount(mount: dict[str, Any]) -> str:
    """Returns a mount as `-v` takes it."""
    return f"{mount['source']}:{mount['target']}" + (":ro" if mount.get("readOnly") else "")


def _dependency(dependency: dict[str, Any]) -> str:
    """Returns a dependency as `--after` takes it."""
    condition = dependency.get("on", "completed")
    return str(dependency["job"]) + ("" if condition == "completed" else f":{condition}")


def _time_and_age(text: str | None, now: datetime) -> str | None:
    return f"{text} ({age(text, now)} ago)" if text else None


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
