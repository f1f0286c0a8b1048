"""An attempt of a job in one line. Pure."""

from typing import Any

from jobctl.units import parse_time, short_duration


def attempt_text(attempt: dict[str, Any]) -> str:
    """Returns an attempt's number, how the attempt ended, and how long it ran."""
    code, reason = attempt.get("exitCode"), attempt.get("reason")
    took = time_between(attempt.get("startedAt"), attempt.get("finishedAt"))
    state = str(reason or ("completed" if attempt.get("finishedAt") else "in progress"))
    parts = [state, "" if code is None or (code == 0 and not reason) else f"exit code {code}"]
    text = ", ".join(filter(None, parts)) + (f" after {took}" if took else "")
    return f"{attempt.get('number')}: {text}"


def retry_text(job_id: str, data: dict[str, Any]) -> str:
    """Returns why an attempt failed and when the next one starts, from the data of a `retry` event."""
    number, reason, code = data.get("attempt"), data.get("reason"), data.get("exitCode")
    why = (
        f"exit code {code}" if reason == "exit-code" else str(data.get("error") or reason or "unknown reason")
    )
    following = f"attempt {number + 1}" if isinstance(number, int) else "another attempt"
    delay = data.get("delaySeconds")
    when = f" in {short_duration(float(delay))}" if isinstance(delay, int | float) else ""
    failed = f"attempt {number}" if isinstance(number, int) else "an attempt"
    return f"{job_id}: {failed} failed ({why}); {following} follows{when}"


def time_between(start: str | None, end: str | None) -> str | None:
    """Returns the time between two RFC 3339 texts, or None where one of them is missing."""
    first, last = parse_time(start), parse_time(end)
    return short_duration((last - first).total_seconds()) if first and last else None
