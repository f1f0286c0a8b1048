"""Follows a job's log: reconnects where the connection breaks, and resumes with `after`, without a gap or a repetition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jobctl.connection.client import SILENCE_TIMEOUT_S, Client, job_path, read_blocks
from jobctl.errors import ConnectionLost, Refused, Unreachable
from jobctl.imports import import_aside

if TYPE_CHECKING:
    from jobctl.connection.log_frames import Frame

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
RECONNECT_FOR_S = 60.0
"""How long jobctl tries to reconnect."""


def frames(
    client: Client,
    job_id: str,
    *,
    follow: bool,
    tail: int | None = None,
    stream: str | None = None,
    unfinished: bool = False,
    on_break: Callable[[str], None] | None = None,
    reconnect_for_s: float = RECONNECT_FOR_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[list[Frame]]:
    """Yields the log in batches as they arrive. With `follow` the last frame has the job's end; without it the log stops at its
    present last line. `unfinished`: also yields bytes of unfinished lines, where the daemon supports that; the lines repeat them.
    `on_break` is called once for each lost connection; `sleep` waits between two tries to reconnect.

    Raises:
        ConnectionLost: the daemon could not be reached for `reconnect_for_s`.
        NotFound: the job does not exist, or was removed meanwhile.
    """
    seen, pause, broke_at = 0, FIRST_PAUSE_S, None
    while True:
        query = {
            "follow": follow or None,
            "after": seen or None,
            "tail": None if seen else tail,
            "stream": stream,
            "unfinished": unfinished or None,
        }
        try:
            with client.open("GET", job_path(job_id, "logs"), query, timeout_s=SILENCE_TIMEOUT_S) as response:
                # msgspec takes a third of the time of `jobctl run`: jobd works on the answer meanwhile
                import_aside("jobctl.connection.log_frames")
                from jobctl.connection.log_frames import batches

                for batch in batches(read_blocks(response)):
                    pause, broke_at = FIRST_PAUSE_S, None  # also after a keep-alive, which is an empty batch
                    new, seen = fresh(batch, seen)
                    if new:
                        yield new
                        if new[-1].end is not None:
                            return
            if not follow:
                return
            lost: Exception = ConnectionLost("the log stream ended before the job ended")
        except (ConnectionLost, Unreachable) as error:
            lost = error
        except Refused as error:
            if unfinished and error.field == "unfinished":  # an older daemon
                unfinished = False
                continue
            if broke_at is None or not error.transient:
                raise
            lost = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            if on_break:
                on_break(str(lost))
        if now - broke_at > reconnect_for_s:
            raise ConnectionLost(f"jobd could not be reached for {reconnect_for_s:g} s: {lost}")
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def fresh(batch: list[Frame], seen: int) -> tuple[list[Frame], int]:
    """Returns the frames after line `seen`, and the number of their last line. Lines arrive in their order."""
    last = next((frame.seq for frame in reversed(batch) if frame.seq), seen)
    if batch and batch[0].seq > seen:
        return batch, last
    return [frame for frame in batch if frame.end or frame.unfinished or frame.seq > seen], max(last, seen)
