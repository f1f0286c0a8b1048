"""Why a job waits or failed, in words, and what helps. Pure: from what the daemon and the job said to sentences.

Owns the words for each reason, phase, exit code and sign. Who asks the daemon is `commands/explain.py`.
"""

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobctl.commands.show import attempt_text
from jobctl.job.engine_remedies import filled, of_engine
from jobctl.output.progress import waiting_text


@dataclass(frozen=True, slots=True)
class OfEngine:
    """What helps with the engine's own tools: the daemon says it. `otherwise`: where it does not."""

    wrong: str
    otherwise: str


Words = tuple[str, tuple[str | OfEngine, ...]]
"""What is so, and what helps; `{names}` are filled in."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is so, in words; where it is known, the cause as the daemon reported it; what helps; how each attempt went where there
    were several; artifacts that failed; the last lines of stderr; how many events have not reached the receiver.
    """

    what: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()
    undelivered: int = 0


_REMEDIES: dict[str, Words] = {
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
        (OfEngine("image-not-found", "check the name and tag, and the login to its registry"), "an image made here: --pull never"),
    ),
    "input-failed": (
        "an input did not arrive, so the command was not started",
        (OfEngine("input-failed", "check the URLs from inside a container"), "see which: jobctl show {id}"),
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

_KILLED: Words = (
    "its command was killed (SIGKILL, exit code 137), neither by jobd nor for its memory limit of {memory} MiB",
    (OfEngine("killed", "something else did it, for instance the kernel with all memory in use (dmesg | grep -i oom)"),
     "or a process of the job's own: read its last lines: jobctl logs --tail 50 {id}"),
)  # fmt: skip
_BY_SIGNAL: Words = (
    "its command was ended by {signal} (exit code {code}), which jobd did not send",
    ("read its last lines: jobctl logs --tail 50 {id}",),
)
_CODES: dict[int, Words] = {
    126: (
        "its shell found a command that may not be executed (exit code 126)",
        ("make the file executable: chmod +x, or run it with its interpreter: sh FILE", "read which: jobctl logs --tail 50 {id}"),
    ),
    127: (
        "its shell did not find a command (exit code 127)",
        ("check that it is in the image: jobctl run --sh 'command -v NAME' {image}", "read which: jobctl logs --tail 50 {id}"),
    ),
    137: _KILLED,
}  # fmt: skip
_FORK_SIGNS = ("can't fork", "cannot fork", "fork: retry", "fork: resource temporarily unavailable", "unable to start new thread",
               "can't create thread", "resource temporarily unavailable")  # fmt: skip
_FORK_LIMIT: Words = (
    "it seems to have reached its limit of {pids} processes and threads",
    ("allow more: --pids-limit {more_pids} (pids in a job file)",),
)
_ARCHITECTURE_SIGN = "exec format error"
_ARCHITECTURE: Words = (
    "its program seems to be made for another architecture than this machine's",
    ("use an image for this machine, or name the one that is meant: --platform",),
)

_PHASES: dict[str, Words] = {
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

_UNREADABLE: Words = (
    "its stored record is damaged, so nothing is known of it any more; all other jobs go on",
    (
        OfEngine("unreadable", "look at the output of job-{id}-worker with the engine's own tools"),
        "jobctl rm {id}",
        "jobctl doctor",
    ),
)
_ENGINE_ERRS: Words = (
    "the engine answers with an error that may pass, and jobd asks it again for a while (ENGINE_ERROR_LIMIT)",
    ("check the engine: jobctl doctor", "end it instead: jobctl cancel {id}"),
)
_RETRYING: Words = (
    "its last attempt failed and another one is to come",
    ("read why: jobctl logs --tail 50 {id}", "end it instead: jobctl cancel {id}"),
)


def explanation(
    job: dict[str, Any],
    last_lines: Sequence[str] = (),
    undelivered: "Undelivered | None" = None,
    version: Mapping[str, Any] | None = None,
) -> Explanation:
    """Returns what is to be said of a job; `last_lines` of its stderr, None or the state of its callbacks, what `GET /v1/version`
    gives.
    """
    values = _values(job)
    status, reason = str(job["status"]), str(job.get("reason") or "")
    tried = job.get("attempts") or []
    retrying = str(job.get("waitingFor") or "").startswith("attempt ")
    attempts = tuple(map(attempt_text, tried)) if len(tried) > 1 or retrying else ()
    signs: list[Words] = []
    what: str
    remedies: tuple[str | OfEngine, ...] = ()
    if status == "completed":
        what = "it completed: its command succeeded and its outputs are where they belong"
    elif status == "unreadable":
        what, remedies = _UNREADABLE
    elif status in ("failed", "cancelled"):
        what, remedies = _failure("cancelled" if status == "cancelled" else reason, job.get("exitCode"))
        signs = _signs(last_lines) if status == "failed" else []
    elif retrying:
        what, remedies = _RETRYING
    elif str(job.get("waitingFor") or "").startswith("another try: "):
        what, remedies = _ENGINE_ERRS
    else:
        what, remedies = _PHASES.get(str(job.get("phase")), ("it is under way", ("jobctl show {id}",)))
    said_already = status == "cancelled" and job.get("cancelledBy")
    said_already = said_already or job.get("error") == f"the command exited with code {job.get('exitCode')}"
    artifacts = tuple(_artifact_errors(job))
    said_already = said_already or (bool(artifacts) and reason in ("input-failed", "output-failed"))
    causes = [(None if said_already else job.get("error")) or waiting_text(job)]
    causes += [sign.format(**values) for sign, _ in signs]
    if undelivered is not None:
        causes.append(undelivered.words)
        remedies = (*remedies, *undelivered.remedies)
    remedies = (*(remedy for _, helps in signs for remedy in helps), *remedies)
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
    return of_engine(version, remedy.wrong) or (remedy.otherwise,)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Events that have not reached the receiver: how many, how many of them were given up, and what went wrong last."""

    count: int
    given_up: int
    last: str

    @property
    def words(self) -> str:
        """All of it in a line."""
        one = self.count == 1
        given_up = f", {self.given_up} of them given up" if self.given_up else ""
        last = f"; last: {self.last}" if self.last else ""
        return f"{self.count} event{'' if one else 's'} {'has' if one else 'have'} not reached the receiver{given_up}{last}"

    @property
    def remedies(self) -> tuple[str, ...]:
        """What helps."""
        again = ("send again what was given up: jobctl replay --job {id}",) if self.given_up else ()
        return ("see each delivery: jobctl deliveries {id}", *again)


def undelivered_of(deliveries: Iterable[dict[str, Any]]) -> Undelivered | None:
    """Returns what is not delivered, or None where nothing has gone wrong so far."""
    count = given_up = 0
    last, trouble = "", False
    for entry in deliveries:
        if entry.get("state") == "delivered":
            continue
        count += 1
        given_up += entry.get("state") in ("parked", "abandoned")
        status = f"status {entry['lastStatus']}" if entry.get("lastStatus") else ""
        said = str(entry.get("lastError") or status)
        trouble = trouble or bool(said) or entry.get("state") != "pending"
        last = said or last
    return Undelivered(count, given_up, last) if trouble else None


def _failure(reason: str, code: object) -> Words:
    if reason == "exit-code" and isinstance(code, int):
        if code in _CODES:
            return _CODES[code]
        if _signal_name(code):
            return _BY_SIGNAL
    return _REMEDIES.get(reason, ("it failed{reason}", ("jobctl logs {id}", "jobctl doctor")))


def _signal_name(code: object) -> str:
    try:
        return signal.Signals(code - 128).name if isinstance(code, int) and code > 128 else ""
    except ValueError:
        return ""


def _signs(lines: Sequence[str]) -> list[Words]:
    """Returns what the last lines of stderr tell of the cause."""
    text = "\n".join(lines).lower()
    found = [_FORK_LIMIT] if any(sign in text for sign in _FORK_SIGNS) else []
    return found + ([_ARCHITECTURE] if _ARCHITECTURE_SIGN in text else [])


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
