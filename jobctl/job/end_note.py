"""One sentence on stderr about a job that did not complete: what happened, why, and the command that says more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import Client, job_path
from jobctl.errors import JobctlError
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.job.outcome import Ended

SIGNAL_CODES = range(129, 256)


def note_end(client: Client, job_id: str, ended: Ended, *, has_artifacts: bool) -> None:
    """Prints the sentence. A plain exit code needs none, unless a signal ended the command, or an artifact failed too."""
    plain = ended.status == "failed" and ended.reason in (None, "exit-code")
    by_signal = ended.exit_code in SIGNAL_CODES
    if plain and not by_signal and not has_artifacts:
        return
    job = _job(client, job_id)
    why = _cause_of_plain(job, by_signal=by_signal) if plain else str(job.get("error") or "")
    if plain and not why:
        return
    if job.get("cancelledBy"):
        why = f"by {job['cancelledBy']}" + (f": {job['cancelReason']}" if job.get("cancelReason") else "")
    earlier = len(job.get("attempts") or []) - 1
    if earlier > 0:
        why += f"{', ' if why else ''}after {earlier + 1} attempts"
    reason = f" ({ended.reason})" if ended.reason and ended.reason != ended.status else ""
    output.note(
        f"{job_id} {ended.status}{reason}{': ' + why if why else ''}; for details: jobctl explain {job_id}"
    )


def _job(client: Client, job_id: str) -> dict[str, Any]:
    """Returns the job; nothing where jobd does not answer, since the sentence must not fail the command."""
    try:
        job: dict[str, Any] = json.loads(client.get(job_path(job_id)))
    except (JobctlError, ValueError):
        return {}
    return job


def _cause_of_plain(job: dict[str, Any], *, by_signal: bool) -> str:
    """Returns what an exit code alone does not say: the signal, and the artifacts that failed too."""
    if not job:
        return ""
    from jobctl.output.explanation.explanation import explanation

    explained = explanation(job)
    known = [explained.what] if by_signal and explained.ended_by_signal else []
    known += [f"artifact {error}" for error in explained.artifacts]
    return "; ".join(known)
