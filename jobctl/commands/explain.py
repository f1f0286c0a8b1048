"""`jobctl explain`: why a job waits, why it failed, and what to do about it."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from jobctl import output
from jobctl.commands.show import attempt_text
from jobctl.ids import find
from jobctl.progress import waiting_text
from jobctl.session import of

EXAMPLES = """
  jobctl explain @last
"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is so, in words; where it is known, the cause as the daemon reported it; what helps; and how each attempt
    went where there were several.
    """

    what: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


_REMEDIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "exit-code": (
        "its command ended with exit code {code}",
        ("read its last lines: jobctl logs --tail 50 {id}", "look at its files: jobctl cp {id}:. ./{id}-files"),
    ),
    "timeout": (
        "it ran longer than its limit of {limit} s and was ended",
        ("allow more time: --timeout 2h (timeoutSeconds in a job file)", "see how far it came: jobctl logs --tail 50 {id}"),
    ),
    "oom-killed": (
        "it needed more than its {memory} MiB of memory and the kernel killed it",
        ("allow more: -m {more_memory}m (memory in a job file)",),
    ),
    "image-not-found": (
        "its image {image} could not be had",
        ("check the name and tag: docker pull {image}", "a private registry needs: docker login", "an image made here: --pull never"),
    ),
    "input-failed": (
        "an input did not arrive, so the command was not started",
        ("check the URLs from inside a container; this machine is host.docker.internal there", "see which: jobctl show {id}"),
    ),
    "output-failed": (
        "its command succeeded, but an output did not reach its place",
        ("see which: jobctl show {id}", "fetch it by hand while it is kept: jobctl cp {id}:PATH ."),
    ),
    "output-too-large": (
        "its command succeeded, but jobd has no room to keep an output",
        ("fetch it while the workspace is kept: jobctl cp {id}:PATH .", "allow more: KEPT_OUTPUTS_MAX_BYTES, then restart jobd",
         "see what is kept: jobctl doctor"),
    ),
    "refused-by-engine": (
        "the engine refused to make its container",
        ("correct what the engine names", "check the engine: jobctl doctor"),
    ),
    "engine-error": (
        "the engine answered with errors for as long as jobd asks again (ENGINE_ERROR_LIMIT)",
        ("check the engine: jobctl doctor", "run it again once the engine is well, or let jobd: --retries 3"),
    ),
    "start-failed": (
        "its command could not be started",
        ("check that the command is in the image: jobctl run --entrypoint /bin/sh {image} -c 'command -v NAME'",
         "a shell line needs --sh", "check the image's architecture: --platform"),
    ),
    "cancelled": ("it was cancelled{by}{why}", ()),
    "lost": (
        "it was lost: its container or the engine went away, so nobody knows how its command ended",
        ("check the engine: jobctl doctor", "run it again if that is safe"),
    ),
}  # fmt: skip

_PHASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queued": (
        "it waits for its turn",
        ("see what runs: jobctl ls", "let more run at once: MAX_CONCURRENT_JOBS, then restart jobd"),
    ),
    "pulling": (
        "its image {image} and its containers are being made ready",
        ("an image that is here already: --pull missing",),
    ),
    "inputs": ("its inputs are on their way", ("see each: jobctl show {id}",)),
    "running": ("it runs", ("watch it: jobctl logs -f {id}", "end it: jobctl cancel {id}")),
    "outputs": ("its command has ended and its outputs are on their way", ("see each: jobctl show {id}",)),
}

_UNREADABLE: tuple[str, tuple[str, ...]] = (
    "its stored record is damaged, so nothing is known of it any more; all other jobs go on",
    ("docker logs job-{id}-worker", "jobctl rm {id}", "jobctl doctor"),
)
_ENGINE_ERRS = (
    "the engine answers with an error that may pass, and jobd asks it again for a while (ENGINE_ERROR_LIMIT)",
    ("check the engine: jobctl doctor", "end it instead: jobctl cancel {id}"),
)
_RETRYING = (
    "its last attempt failed and another one is to come",
    ("read why: jobctl logs --tail 50 {id}", "end it instead: jobctl cancel {id}"),
)


def explain(
    ctx: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, unique prefixes of them, or @last.")
    ],
) -> None:
    """Say why a job waits or failed, and what to do about it."""
    session = of(ctx)
    client = session.client()
    jobs = [find(client, text) for text in ids]
    found = [(str(job["id"]), explanation(job)) for job in jobs]
    if session.format in ("json", "yaml"):
        trees = [
            {
                "id": i,
                "what": e.what,
                "cause": e.cause,
                "attempts": list(e.attempts),
                "remedies": list(e.remedies),
            }
            for i, e in found
        ]
        output.tree(trees[0] if len(trees) == 1 else trees, session.format)
        return
    for job_id, each in found:
        output.text(f"{job_id}: {output.printable(each.what)}\n")
        if each.cause:
            cause = output.printable(each.cause, keep_newlines=True)
            output.text("  because: " + cause.replace("\n", "\n           ") + "\n")
        for attempt in each.attempts:
            output.text(f"  attempt {output.printable(attempt)}\n")
        for remedy in each.remedies:
            output.text(f"  - {output.printable(remedy)}\n")


def explanation(job: dict[str, Any]) -> Explanation:
    """Returns what is to be said of a job. Pure."""
    values = _values(job)
    status, reason = str(job["status"]), str(job.get("reason") or "")
    tried = job.get("attempts") or []
    retrying = str(job.get("waitingFor") or "").startswith("attempt ")
    attempts = tuple(map(attempt_text, tried)) if len(tried) > 1 or retrying else ()
    if status == "completed":
        done = "it completed: its command succeeded and its outputs are where they belong"
        return Explanation(done, attempts=attempts)
    if status == "unreadable":
        what, remedies = _UNREADABLE
    elif status in ("failed", "cancelled"):
        key = "cancelled" if status == "cancelled" else reason
        what, remedies = _REMEDIES.get(key, ("it failed{reason}", ("jobctl logs {id}", "jobctl doctor")))
    elif retrying:
        what, remedies = _RETRYING
    elif str(job.get("waitingFor") or "").startswith("another try: "):
        what, remedies = _ENGINE_ERRS
    else:
        what, remedies = _PHASES.get(str(job.get("phase")), ("it is under way", ("jobctl show {id}",)))
    said_already = status == "cancelled" and job.get("cancelledBy")
    said_already = said_already or job.get("error") == f"the command exited with code {job.get('exitCode')}"
    cause = (None if said_already else job.get("error")) or waiting_text(job) or _first_artifact_error(job)
    helps = tuple(remedy.format(**values) for remedy in remedies)
    return Explanation(what.format(**values), str(cause or ""), helps, attempts)


def _values(job: dict[str, Any]) -> dict[str, object]:
    limits = job.get("limits") or {}
    memory = int(limits.get("memory") or 512)
    by = job.get("cancelledBy")
    code = job.get("exitCode")
    return {
        "id": job["id"], "image": job.get("image") or "?", "code": "unknown" if code is None else code, "memory": memory,
        "more_memory": memory * 2, "limit": limits.get("timeoutSeconds", 1800), "by": f" by {by}" if by else "",
        "why": f": {job['cancelReason']}" if job.get("cancelReason") else "",
        "reason": f" ({job['reason']})" if job.get("reason") else "",
    }  # fmt: skip


def _first_artifact_error(job: dict[str, Any]) -> str | None:
    for artifact in job.get("artifacts") or []:
        if artifact.get("error"):
            return f"{artifact['id']} ({artifact['type']}): {artifact['error']}"
    return None
