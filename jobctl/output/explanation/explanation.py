"""Why a job waits or failed, as sentences, with remedies. Pure: from the daemon's answer and the job's last lines to text.

Owns which texts of `explanation_texts.py` apply. `commands/views/explain.py` makes the requests.
"""

import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobctl.output.attempt_text import attempt_text
from jobctl.output.explanation.engine_remedies import filled, of_engine
from jobctl.output.explanation.explanation_texts import (
    ARCHITECTURE,
    ARCHITECTURE_ERROR,
    BY_SIGNAL,
    CODES,
    ENGINE_ERRS,
    FORK_ERRORS,
    FORK_LIMIT,
    INPUT_OF_FILES,
    NOT_WRITTEN,
    PAUSED,
    PHASES,
    REMEDIES,
    RETRYING,
    UNREADABLE,
    WAITS,
    OfEngine,
    Template,
)
from jobctl.output.live.progress import waiting_sentence
from jobctl.units import bytes_text

_OTHER_JOB = re.compile(r"\bjob '([^']+)'")
"""Where the daemon names another job, in `waitingFor` and in the error of a job whose dependency was not met."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`what`: the state of the job; `cause`: the cause as the daemon reports it, "" where unknown; `remedies`: what the user can do;
    `attempts`: one text each, where there were several; `artifacts`: those that failed; `last_lines`: of stderr; `undelivered`: the
    number of events that the receiver does not have; `ended_by_signal`: a signal that jobd did not send ended the command.
    """

    what: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()
    undelivered: int = 0
    ended_by_signal: bool = False


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
        what, remedies = UNREADABLE
    elif status in ("failed", "cancelled"):
        what, remedies = _failure(
            "cancelled" if status == "cancelled" and reason != "dependency" else reason, job.get("exitCode")
        )
        recognized = _recognized_errors(last_lines) if status == "failed" else []
    elif retrying:
        what, remedies = RETRYING
    elif str(job.get("waitingFor") or "").startswith("another try: "):
        what, remedies = ENGINE_ERRS
    else:
        stands_still = job.get("paused") and job.get("phase") == "running"
        known = PAUSED if stands_still else PHASES.get(str(job.get("phase")))
        what, remedies = known or ("the job is in progress", ("jobctl show {id}",))
        remedies = _wait_remedies(str(job.get("waitingFor") or "")) or remedies
    artifacts = tuple(_artifact_errors(job))
    if status == "failed":
        what, remedies = _of_files(job, reason) or (what, remedies)
    redundant = (  # `what` or the artifacts say the same
        (status == "cancelled" and job.get("cancelledBy"))
        or job.get("error") == f"the command exited with code {job.get('exitCode')}"
        or (bool(artifacts) and reason in ("input-failed", "output-failed"))
        or (reason == "oom-killed" and status == "failed")
    )
    causes = [(None if redundant else job.get("error")) or waiting_sentence(job)]
    causes += [cause.format(**values) for cause, _ in recognized]
    if undelivered is not None:
        causes.append(undelivered.text)
        remedies = (*remedies, *undelivered.remedies)
    remedies = (*(remedy for _, helps in recognized for remedy in helps), *remedies)
    return Explanation(
        what.format(**values) + _origin(job),
        "\n".join(str(each) for each in causes if each),
        tuple(
            filled(text, {**values, "other": other})
            for remedy in remedies
            for text in _texts(remedy, version or {})
            for other in (_others(job) if "{other}" in text else [""])
        ),
        attempts,
        artifacts,
        tuple(last_lines) if status == "failed" else (),
        undelivered.count if undelivered is not None else 0,
        status == "failed" and reason == "exit-code" and bool(_signal_name(job.get("exitCode"))),
    )


def _wait_remedies(waiting_for: str) -> tuple[str | OfEngine, ...]:
    return next((remedies for begins, remedies in WAITS if re.match(begins, waiting_for)), ())


def _others(job: dict[str, Any]) -> list[str]:
    """Returns the ids of the jobs that the job waits for, or that kept the job from its start."""
    named = _OTHER_JOB.findall(str(job.get("error") or job.get("waitingFor") or ""))
    return list(dict.fromkeys(named)) or [str(one.get("job")) for one in job.get("after") or []]


def _origin(job: dict[str, Any]) -> str:
    return f" (a retry of {job['retriedFrom']})" if job.get("retriedFrom") else ""


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
        if code in CODES:
            return CODES[code]
        if _signal_name(code):
            return BY_SIGNAL
    return REMEDIES.get(reason, ("the job failed{reason}", ("jobctl logs {id}", "jobctl doctor")))


def _of_files(job: dict[str, Any], reason: str) -> Template | None:
    """Returns the text for inputs and outputs whose errors say more than the reason; None for others."""
    errors = [
        one for one in job.get("artifacts") or [] if one.get("error") and one.get("status") != "skipped"
    ]
    if reason == "input-failed" and errors and all(one["type"] != "download" for one in errors):
        return INPUT_OF_FILES
    if reason != "output-failed":
        return None
    absent = [str(one["error"]) for one in errors if "does not exist in the workspace" in str(one["error"])]
    missing = [one for one in job.get("outputs") or [] if one.get("status") == "missing"]
    return NOT_WRITTEN if absent or missing else None


def _signal_name(code: object) -> str:
    try:
        return signal.Signals(code - 128).name if isinstance(code, int) and code > 128 else ""
    except ValueError:
        return ""


def _recognized_errors(lines: Sequence[str]) -> list[Template]:
    """Returns the known errors that the last lines of stderr contain."""
    text = "\n".join(lines).lower()
    found = [FORK_LIMIT] if any(error in text for error in FORK_ERRORS) else []
    return found + ([ARCHITECTURE] if ARCHITECTURE_ERROR in text else [])


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
        "group": job.get("group") or "default", "peak": _peak(job),
    }  # fmt: skip


def _peak(job: dict[str, Any]) -> str:
    """Returns the highest measured use of memory; "" where jobd has measured none, as of a command that needed its memory at once."""
    peak = (job.get("usage") or {}).get("memoryPeakBytes")
    return f" (measured use: up to {bytes_text(int(peak))})" if peak else ""


def _artifact_errors(job: dict[str, Any]) -> Iterator[str]:
    for artifact in job.get("artifacts") or []:
        if artifact.get("error"):
            yield f"{artifact['id']} ({artifact['type']}): {artifact['error']}"
