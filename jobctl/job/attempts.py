"""The notes of an attached run about failed attempts and the next ones.

Owns a thread that reads the job's events. Only a job with retries needs it: the log stream itself goes on over all attempts.
"""

import threading

from jobctl.connection.client import Client
from jobctl.errors import JobctlError
from jobctl.output import output
from jobctl.output.attempt_text import retry_text


class AttemptNotes:
    """Prints a note on stderr for each further attempt, from `__enter__` to `__exit__`."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id
        self._over = False

    def __enter__(self) -> "AttemptNotes":
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True  # the thread owns nothing: it ends at its next event or with the program

    def _run(self) -> None:
        from jobctl.connection.event_stream import stream

        try:
            for line in stream(self._client, True, self._job_id, None, lambda why: None):
                event = line.get("event") or {}
                kind = str(event.get("type", "")).rpartition(".")[2]
                if self._over or kind == "complete":
                    return
                if kind == "retry":
                    output.note(retry_text(self._job_id, event.get("data") or {}))
        except JobctlError:
            return  # the log stream reports a lost connection
