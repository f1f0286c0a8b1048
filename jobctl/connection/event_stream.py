"""Follows the events of all jobs, or of one: reconnects where the connection breaks, and resumes after the last event's number."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from jobctl.connection.client import SILENCE_TIMEOUT_S, Client, read_blocks
from jobctl.errors import ConnectionLost, Refused, Unreachable

RECONNECT_FOR_S = 60.0
Line = dict[str, Any]


def stream(
    client: Client,
    follow: bool,
    job_id: str | None,
    after: int | None,
    on_break: Callable[[str], None],
    reconnect_for_s: float = RECONNECT_FOR_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Line]:
    """Yields the lines of the event stream; with `follow`, without an end. `on_break` is called once for each lost connection; `sleep`
    waits between two tries to reconnect.

    Raises:
        ConnectionLost: the daemon could not be reached for `reconnect_for_s`.
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
        except Refused as error:
            if broke_at is None or not error.transient:
                raise
            lost = error  # a daemon that starts again
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            on_break(str(lost))
        if now - broke_at > reconnect_for_s:
            raise ConnectionLost(
                f"jobd could not be reached for {reconnect_for_s:g} s",
                hint=f"jobctl events -f --after {seen or 0}",
            )
        sleep(pause)
        pause = min(pause * 2, 2.0)
