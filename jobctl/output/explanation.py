"""Why a job waits or failed, as sentences, with remedies. Pure: from the daemon's answer and the job's last lines to text.

Owns the texts for each reason, phase and exit code. `commands/explain.py` makes the requests.
"""

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobctl.output.attempt_text import attempt_text
from jobctl.output.engine_remedies import filled, of_engine
from jobctl.output.progress import waiting_sentence


@dataclass(frozen=True, slots=True)
class OfEngine:
    """A remedy with the engine's own tools: the daemon gives its text under the name `problem`. `otherwise`: for a daemon without it."""

    problem: str
    otherwise: str


Template = tuple[str, tuple[str | OfEngine, ...]]
"""The state, and the remedies; `{names}` are filled in."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`what`: the state of the job; `cause`: the cause as the daemon reports it, "" where unknown; `remedies`: what the user can do;
    `attempts`: one text each, where there were several; `artifacts`: those that failed; `last_lines`: of stderr; `undelivered`: the
    number of events that the receiver does not have.
    """

    what: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()
    undelivered: int = 0


_REMEDIES: dict[str, Template] = {
    "exit-code": (
        "the command ended with exit code {code}",
        ("read the last lines of the log: jobctl logs --tail 50 {id}", "copy the job's files: jobctl cp {id}:. ./{id}-files"),
    ),
    "timeout": (
        "jobd ended the job: it ran longer than its limit of {limit} s",
        ("allow more time: --timeout 2h (timeoutSeconds in a job file)", "read the last lines of the log: jobctl logs --tail 50 {id}"),
    ),
    "oom-killed": (
        "the kernel killed the command: it needed more than the job's {memory} MiB of memory",
        ("allow more memory: -m {more_memory}m (memory in a job file)",),
    ),
    "image-not-found": (
        "the engine could not get the image {image}",
        (OfEngine("image-not-found", "check the name and tag, and the login to its registry"),
         "use an image that exists only on this machine: --pull never"),
    ),
    "input-failed": (
        "an input failed, so the command was not started",
        (OfEngine("input-failed", "check the URLs from inside a container"), "see which input failed: jobctl show {id}"),
    ),
    "output-failed": (
        "the command succeeded, but an output failed",
        ("see which output failed: jobctl show {id}", "copy the file while the workspace exists: jobctl cp {id}:PATH ."),
    ),
    "output-too-large": (
        "the command succeeded, but jobd has no room to keep an output",
        ("copy the file while the workspace exists: jobctl cp {id}:PATH .",
         "allow more: KEPT_OUTPUTS_MAX_BYTES, then restart jobd", "see how much jobd keeps: jobctl doctor"),
    ),
    "refused-by-engine": (
        "the engine refused to create the container",
        ("correct what the engine's message names", "check the engine: jobctl doctor"),
    ),
    "engine-error": (
        "the engine answered with errors until jobd gave up (ENGINE_ERROR_LIMIT)",
        ("check the engine: jobctl doctor", "run the job again when the engine works, or use --retries 3"),
    ),
    "start-failed": (
        "the engine could not start the command",
        ("check that the image contains the command: jobctl run --entrypoint /bin/sh {image} -c 'command -v NAME'",
         "use --sh for a shell line", "check the image's architecture: --platform"),
    ),
    "cancelled": ("the job was cancelled{by}{why}", ()),
    "lost": (
        "the job was lost: its container or the engine disappeared, so the exit code is unknown",
        ("check the engine: jobctl doctor", "run the job again if that is safe"),
    ),
}  # fmt: skip

_KILLED: Template = (
    "the command was killed (SIGKILL, exit code 137), neither by jobd nor for its memory limit of {memory} MiB",
    (OfEngine("killed", "look for another cause, for instance the kernel out of memory (dmesg | grep -i oom)"),
     "look for a process of the job that sent the signal: jobctl logs --tail 50 {id}"),
)  # fmt: skip
_BY_SIGNAL: Template = (
    "the command was ended by {signal} (exit code {code}), which jobd did not send",
    ("read the last lines of the log: jobctl logs --tail 50 {id}",),
)
_CODES: dict[int, Template] = {
    126: (
        "the job's shell found a command that is not executable (exit code 126)",
        ("make the file executable: chmod +x, or run it with its interpreter: sh FILE",
         "see which command: jobctl logs --tail 50 {id}"),
    ),
    127: (
        "the job's shell did not find a command (exit code 127)",
        ("check that the image contains the command: jobctl run --sh 'command -v NAME' {image}",
         "see which command: jobctl logs --tail 50 {id}"),
    ),
    137: _KILLED,
}  # fmt: skip
_FORK_ERRORS = ("can't fork", "cannot fork", "fork: retry", "fork: resource temporarily unavailable", "unable to start new thread",
                "can't create thread", "resource temporarily unavailable")  # fmt: skip
_FORK_LIMIT: Template = (
    "the job seems to have reached its limit of {pids} processes and threads",
    ("allow more: --pids-limit {more_pids} (pids in a job file)",),
)
_ARCHITECTURE_ERROR = "exec format error"
_ARCHITECTURE: Template = (
    "the program seems to be built for another architecture than this machine's",
    ("use an image for this machine, or select the image's platform: --platform",),
)

_PHASES: dict[str, Template] = {
    "queued": (
        "the job is queued",
        (
            "see the running jobs: jobctl ls",
            "allow more jobs at once: MAX_CONCURRENT_JOBS, then restart jobd",
        ),
    ),
    "pulling": (
        "jobd prepares the image {image} and the containers",
        ("use an image that this machine has already: --pull missing",),
    ),
    "inputs": ("the sidecar transfers the inputs", ("see each input: jobctl show {id}",)),
    "running": (
        "the job is running",
        ("follow its log: jobctl logs -f {id}", "cancel it: jobctl cancel {id}"),
    ),
    "outputs": (
        "the command has ended, and the sidecar transfers the outputs",
        ("see each output: jobctl show {id}",),
    ),
}

_UNREADABLE: Template = (
    "the job's stored record is damaged, so its state is unknown; all other jobs go on",
    (
        OfEngine("unreadable", "read the log of the container job-{id}-worker with the engine's own tools"),
        "jobctl rm {id}",
        "jobctl doctor",
    ),
)
_ENGINE_ERRS: Template = (
    "the engine answers with a temporary error, and jobd tries again for a while (ENGINE_ERROR_LIMIT)",
    ("check the engine: jobctl doctor", "cancel the job: jobctl cancel {id}"),
)
_RETRYING: Template = (
    "the last attempt failed, and another attempt will follow",
    ("see why the attempt failed: jobctl logs --tail 50 {id}", "cancel the job: jobctl cancel {id}"),
)


def explanation(
    job: dict[str, Any],
    last_lines: Sequence[str] = (),
    undelivered: "Undelivered | None" = None,
    version: Mapping[str, Any] | None = None,
) -> Explanation:
    """Returns the explanation of a job's state. `last_lines`: of its stderr; `undelivered`: its events, None where all arrived;
    `version`: the answer of `GET /v1/version`.
    """
    values = _values(job)
    status, reason = str(job["status"]), str(job.get("reason") or "")
    tried = job.get("attempts") or []
    retrying = str(job.get("waitingFor") or "").startswith("attempt ")
    attempts = tuple(map(attempt_text, tried)) if len(tried) > 1 or retrying else ()
    recognized: list[Template] = []
    what: str
    remedies: tuple[str | OfEngine, ...] = ()
    if status == "completed":
        what = "the job completed: its command succeeded, and all outputs were delivered"
    elif status == "unreadable":
        what, remedies = _UNREADABLE
    elif status in ("failed", "cancelled"):
        what, remedies = _failure("cancelled" if status == "cancelled" else reason, job.get("exitCode"))
        recognized = _recognized_errors(last_lines) if status == "failed" else []
    elif retrying:
        what, remedies = _RETRYING
    elif str(job.get("waitingFor") or "").startswith("another try: "):
        what, remedies = _ENGINE_ERRS
    else:
        what, remedies = _PHASES.get(str(job.get("phase")), ("the job is in progress", ("jobctl show {id}",)))
    artifacts = tuple(_artifact_errors(job))
    redundant = (  # `what` or the artifacts say the same
        (status == "cancelled" and job.get("cancelledBy"))
        or job.get("error") == f"the command exited with code {job.get('exitCode')}"
        or (bool(artifacts) and reason in ("input-failed", "output-failed"))
    )
    causes = [(None if redundant else job.get("error")) or waiting_sentence(job)]
    causes += [cause.format(**values) for cause, _ in recognized]
    if undelivered is not None:
        causes.append(undelivered.text)
        remedies = (*remedies, *undelivered.remedies)
    remedies = (*(remedy for _, helps in recognized for remedy in helps), *remedies)
    return Explanation(
        what.format(**values),
        "\n".join(str(each) for each in causes if each),
        tuple(filled(text, values) for remedy in remedies for text in _texts(remedy, version or {})),
        attempts,
        artifacts,
        tuple(last_lines) if status == "failed" else (),
        undelivered.count if undelivered is not None else 0,
    )


def _texts(remedy: str | OfEngine, version: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(remedy, str):
        return (remedy,)
    return of_engine(version, remedy.problem) or (remedy.otherwise,)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Events that the receiver does not have: how many, how many of them jobd gave up, and the last error."""

    count: int
    given_up: int
    last_error: str

    @property
    def text(self) -> str:
        """The numbers and the last error in one line."""
        one = self.count == 1
        given_up = f", {self.given_up} of them given up" if self.given_up else ""
        last = f"; last error: {self.last_error}" if self.last_error else ""
        return f"{self.count} event{'' if one else 's'} {'has' if one else 'have'} not reached the receiver{given_up}{last}"

    @property
    def remedies(self) -> tuple[str, ...]:
        """What the user can do."""
        again = ("send the given-up deliveries again: jobctl replay --job {id}",) if self.given_up else ()
        return ("see each delivery: jobctl deliveries {id}", *again)


def undelivered_of(deliveries: Iterable[dict[str, Any]]) -> Undelivered | None:
    """Returns the undelivered events, or None while no delivery has failed."""
    count = given_up = 0
    last_error, failing = "", False
    for entry in deliveries:
        if entry.get("state") == "delivered":
            continue
        count += 1
        given_up += entry.get("state") in ("parked", "abandoned")
        status = f"status {entry['lastStatus']}" if entry.get("lastStatus") else ""
        error = str(entry.get("lastError") or status)
        failing = failing or bool(error) or entry.get("state") != "pending"
        last_error = error or last_error
    return Undelivered(count, given_up, last_error) if failing else None


def _failure(reason: str, code: object) -> Template:
    if reason == "exit-code" and isinstance(code, int):
        if code in _CODES:
            return _CODES[code]
        if _signal_name(code):
            return _BY_SIGNAL
    return _REMEDIES.get(reason, ("the job failed{reason}", ("jobctl logs {id}", "jobctl doctor")))


def _signal_name(code: object) -> str:
    try:
        return signal.Signals(code - 128).name if isinstance(code, int) and code > 128 else ""
    except ValueError:
        return ""


def _recognized_errors(lines: Sequence[str]) -> list[Template]:
    """Returns the known errors that the last lines of stderr contain."""
    text = "\n".join(lines).lower()
    found = [_FORK_LIMIT] if any(error in text for error in _FORK_ERRORS) else []
    return found + ([_ARCHITECTURE] if _ARCHITECTURE_ERROR in text else [])


def _values(job: dict[str, Any]) -> dict[str, object]:
    limits = job.get("limits") or {}
    memory = int(limits.get("memory") or 512)
    pids = int(limits.get("pids") or 4096)
    by = job.get("cancelledBy")
    code = job.get("exitCode")
    return {
        "id": job["id"], "image": job.get("image") or "?", "code": "unknown" if code is None else code, "memory": memory,
        "more_memory": memory * 2, "limit": limits.get("timeoutSeconds", 1800), "by": f" by {by}" if by else "",
        "why": f": {job['cancelReason']}" if job.get("cancelReason") else "", "signal": _signal_name(code),
        "reason": f" ({job['reason']})" if job.get("reason") else "", "pids": pids, "more_pids": pids * 2,
    }  # fmt: skip


def _artifact_errors(job: dict[str, Any]) -> Iterator[str]:
    for artifact in job.get("artifacts") or []:
        if artifact.get("error"):
            yield f"{artifact['id']} ({artifact['type']}): {artifact['error']}"
