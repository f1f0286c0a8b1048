"""The events of all jobs, or of one, as the daemon tells them: over as many connections as it takes, resumed by number.

Owns the reconnecting. What is done with the events is up to the caller.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from jobctl.connection.client import SILENCE_TIMEOUT_S, Client, read_blocks
from jobctl.errors import ConnectionLost, Unreachable

PATIENCE_S = 60.0
Line = dict[str, Any]


def stream(
    client: Client, follow: bool, job_id: str | None, after: int | None, on_break: Callable[[str], None]
) -> Iterator[Line]:
    """Yields the lines of the event stream; with `follow`, over as many connections as it takes.

    `on_break` hears once of each loss of the connection.

    Raises:
        ConnectionLost: the daemon stayed away for a minute.
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
            lost: Exception = ConnectionLost("the connection to jobd ended")
        except (ConnectionLost, Unreachable) as error:
            if not follow:
                raise
            lost = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            on_break(str(lost))
        if now - broke_at > PATIENCE_S:
            raise ConnectionLost(
                f"jobd stayed away for {PATIENCE_S:g} s", hint=f"jobctl events -f --after {seen or 0}"
            )
        time.sleep(pause)
        pause = min(pause * 2, 2.0)
