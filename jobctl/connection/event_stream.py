"""Follows the events of all jobs, or of one: reconnects where the connection breaks, and resumes after the last event's number."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from jobctl.connection.client import SILENCE_TIMEOUT_S, Client, read_blocks
from jobctl.errors import ConnectionLost, Unreachable

RECONNECT_FOR_S = 60.0
Line = dict[str, Any]


def stream(
    client: Client, follow: bool, job_id: str | None, after: int | None, on_break: Callable[[str], None]
) -> Iterator[Line]:
    """Yields the lines of the event stream; with `follow`, without an end. `on_break` is called once for each lost connection.

    Raises:
        ConnectionLost: the daemon could not be reached for a minute.
    """
    seen, pause, broke_at = after, 0.1, None
    headers = {"Accept": "application/x-ndjson"}
    while True:
        query = {"follow": follow or None, "after": seen, "job": job_id}
        try:
            with client.open("GET", "/v1/events", query, None, headers, SILENCE_TIMEOUT_S) as response:
                rest = b""
                for block in read_blocks(response):
                    pause, broke_at = 0.1, None
                    *whole, rest = (rest + block).split(b"\n")
                    for text in whole:
                        if text.strip():
                            line: Line = json.loads(text)
                            seen = line.get("seq", seen)
                            yield line
            if not follow:
                return
            lost: Exception = ConnectionLost("jobd closed the connection")
        except (ConnectionLost, Unreachable) as error:
            if not follow:
                raise
            lost = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            on_break(str(lost))
        if now - broke_at > RECONNECT_FOR_S:
            raise ConnectionLost(
                f"jobd could not be reached for {RECONNECT_FOR_S:g} s",
                hint=f"jobctl events -f --after {seen or 0}",
            )
        time.sleep(pause)
        pause = min(pause * 2, 2.0)
