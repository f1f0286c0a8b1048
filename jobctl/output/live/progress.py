"""How far a job is that a user waits for, in one line: what the job waits for, with bytes, rate and the time that is left. Pure.

`progress_display.py` shows the line.
"""

from datetime import UTC, datetime
from typing import Any

from jobctl.output import output
from jobctl.units import parse_time, short_duration

Job = dict[str, Any]

QUIET_PHASES = ("running", "done")
"""In these phases the log tells more than a line about the job."""
MOST_NAMED = 2


def line(job: Job, bytes_per_s: float, now: datetime, *, with_bar: bool = True) -> str:
    """Returns the line; "" where there is nothing to tell."""
    state = stage(job)
    if not state:
        return ""
    parts = [f"{job['id']} {state}"]
    ran_s = _ran_s(job, now)
    if ran_s is not None:
        parts[0] += f" for {short_duration(ran_s)}"
    done, total = transferred(job)
    if done:
        from jobctl.output.live.rate import moved_text

        parts.append(output.bar(done, total) if with_bar else "")
        parts.append(moved_text(done, total, bytes_per_s))
    return "  ".join(part for part in parts if part)


def stage(job: Job) -> str:
    """Returns what the job waits for, or does, without bytes and times: `waits for its inputs: data (download)`."""
    phase, pull = job.get("phase"), job.get("pull")
    if phase == "done":
        return ""
    if phase == "running" and not job.get("paused"):
        return "runs"
    if isinstance(pull, dict):
        layers = f": {pull.get('layersDone') or 0} of {pull['layers']} layers" if pull.get("layers") else ""
        return f"pulls the image {job.get('image') or ''}".rstrip() + layers
    named = [f"{one['id']} ({one['type']})" for one in _moving(job)]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    moving = f": {', '.join(named[:MOST_NAMED])}{more}" if named else ""
    return (waiting_sentence(job) or str(phase or "")) + moving


def waiting_sentence(job: Job) -> str:
    """Returns `waits for ...`, or "" where the job waits for nothing."""
    text = waiting_for(job, datetime.now(UTC))
    return text if not text or text.startswith("pulling") else f"waits for {text}"


def waiting_for(job: Job, now: datetime) -> str:
    """Returns what a job waits for, as the daemon reports it; a time in the future becomes the duration until then."""
    waiting = str(job.get("waitingFor") or "")
    before, at, text = waiting.rpartition(" at ")
    moment = parse_time(text) if at else None
    if moment is None:
        return waiting
    left_s = (moment - now).total_seconds()
    return f"{before} {'in ' + short_duration(left_s) if left_s > 0 else 'now'}"


def transferred(job: Job) -> tuple[int, int | None]:
    """Returns the bytes of the pull, or those that the pending artifacts have transferred, and their total; None where one total is unknown."""
    pull = job.get("pull")
    if isinstance(pull, dict):
        return int(pull.get("doneBytes") or 0), pull.get("bytes")
    moving = _moving(job)
    totals = [int(one.get("bytes") or 0) for one in moving]
    return sum(int(one["doneBytes"]) for one in moving), sum(totals) if totals and all(totals) else None


def _moving(job: Job) -> list[Job]:
    artifacts = job.get("artifacts") or []
    return [one for one in artifacts if one.get("status", "pending") == "pending" and one.get("doneBytes")]


def _ran_s(job: Job, now: datetime) -> float | None:
    started = parse_time(job.get("startedAt")) if job.get("phase") == "running" else None
    return (now - started).total_seconds() if started is not None else None
