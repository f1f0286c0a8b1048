"""Waits for sets, for `jobctl wait`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobctl.errors import EndedBySignal
from jobctl.job.outcome import Ended, Outcome, WaitTimedOut
from jobctl.output import output
from jobctl.output.live.live_terminal import raise_on_signals
from jobctl.sets.following import fetch_outputs, follow
from jobctl.sets.pace import summary

if TYPE_CHECKING:
    from jobctl.connection.client import Client


def wait_for_sets(client: Client, set_ids: list[str], until: float | None, format: str) -> Outcome:
    """Waits for one set after the other, prints a line for each, and fetches the outputs of their jobs. Returns the end of the first job
    that did not complete.
    """
    ends: list[Ended] = []
    try:
        with raise_on_signals():
            for set_id in set_ids:
                followed = follow(client, set_id, until, sums_up=format in ("json", "name"))
                ends.append(followed.first)
                if format == "json":
                    output.json_line(followed.view)
                else:
                    output.text(
                        f"{set_id}\n" if format == "name" else f"{set_id}  {summary(followed.view)}\n"
                    )
                    sys.stdout.flush()
    except TimeoutError:
        output.note(f"stopped waiting; still active: {', '.join(set_ids[len(ends) :])}")
        return WaitTimedOut()
    except KeyboardInterrupt:
        raise EndedBySignal(2, f"to continue: jobctl wait {' '.join(set_ids[len(ends) :])}") from None
    for set_id in set_ids:
        fetch_outputs(client, set_id)
    return next((end for end in ends if end.status != "completed"), Ended("completed", 0))
