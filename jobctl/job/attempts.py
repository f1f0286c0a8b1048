"""The note between two attempts of an attached job: why the last one failed and when the next one comes.

Owns a thread that listens to the job's events, for jobs that may be repeated only: the log itself just goes on.
"""

import threading
from typing import Any

from jobctl.connection.client import Client
from jobctl.errors import JobctlError
from jobctl.job.units import short_duration
from jobctl.output import output


class Attempts:
    """Tells of each further attempt on stderr, from `__enter__` to `__exit__`. `retries` 0: does nothing."""

    def __init__(self, client: Client, job_id: str, retries: object) -> None:
        self._client = client
        self._job_id = job_id
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True) if retries else None

    def __enter__(self) -> "Attempts":
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True  # the thread is left at its next event or with the program: it owns nothing

    def _run(self) -> None:
        from jobctl.connection.feed import stream

        try:
            for line in stream(self._client, True, self._job_id, None, lambda why: None):
                event = line.get("event") or {}
                kind = str(event.get("type", "")).rpartition(".")[2]
                if self._over or kind == "complete":
                    return
                if kind == "retry":
                    output.note(retry_text(self._job_id, event.get("data") or {}))
        except JobctlError:
            return  # whoever follows the log says that the daemon is away


def retry_text(job_id: str, data: dict[str, Any]) -> str:
    """Returns what is said of a failed attempt that another one follows. Pure."""
    number, reason, code = data.get("attempt"), data.get("reason"), data.get("exitCode")
    why = f"exit code {code}" if reason == "exit-code" else str(data.get("error") or reason or "it failed")
    following = f"attempt {number + 1}" if isinstance(number, int) else "another one"
    delay = data.get("delaySeconds")
    when = f" in {short_duration(float(delay))}" if isinstance(delay, int | float) else ""
    failed = f"attempt {number}" if isinstance(number, int) else "an attempt"
    return f"{job_id}: {failed} failed ({why}); {following} follows{when}"
