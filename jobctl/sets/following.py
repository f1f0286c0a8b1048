"""Follows a set to the end of its jobs: progress on stderr, then which jobs failed.

On a terminal the progress is one line; otherwise a line every few seconds, if something has changed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jobctl.errors import ConnectionLost, JobctlError, Refused, Unreachable
from jobctl.job.outcome import Ended
from jobctl.output import output
from jobctl.selection.listing import each
from jobctl.selection.sets import View, show_set
from jobctl.sets.outcome import Tally
from jobctl.sets.pace import Pace, ended_count, has_ended, line, summary

if TYPE_CHECKING:
    from jobctl.connection.client import Client

EVERY_S = 1.0
FIRST_S = 0.2
PLAIN_EVERY_S = 5.0
RECONNECT_FOR_S = 60.0
MOST_SHOWN = 10


class Followed:
    """The end of a set. `view`: its last numbers, those of each job's latest retry; `first`: the first job that did not complete,
    `Ended("completed", 0)` if all did.
    """

    def __init__(self, view: View, first: Ended) -> None:
        self.view = view
        self.first = first


def follow(
    client: Client,
    set_id: str,
    until: float | None = None,
    *,
    sums_up: bool = True,
) -> Followed:
    """Returns once all jobs of the set have ended; prints how many, and which did not complete. `until`: in monotonic seconds.
    `sums_up` False: the caller prints how many.

    Raises:
        TimeoutError: `until` has passed. ConnectionLost: jobd could not be reached for a minute. NotFound: the set has no jobs.
    """
    while True:
        view = _to_end(client, set_id, until)
        tally = Tally()
        if view.get("completed") != view.get("total"):
            tally.add(each(client, {"set": set_id}))
        if not tally.is_active:  # else a retry was submitted meanwhile
            break
    failed, view = tally.failed[::-1], tally.of(view)
    if sums_up:
        output.note(f"{set_id}: {summary(view)}")
    indent = "  " if sums_up else ""
    for job in failed[:MOST_SHOWN]:
        output.note(f"{indent}{job['id']} {job['status']}{_cause(job)}")
    if len(failed) > MOST_SHOWN:
        output.note(
            f"{indent}and {len(failed) - MOST_SHOWN} more: jobctl ls -a --set {set_id} --status failed,cancelled"
        )
    return Followed(view, _first(failed))


def _to_end(client: Client, set_id: str, until: float | None) -> View:
    from jobctl.output import drawing

    pace, pause_s, broke_at = Pace(), FIRST_S, None
    said, said_at = "", time.monotonic()
    with drawing.screen(on_stderr=True) as screen:
        while True:
            try:
                view = show_set(client, set_id)
            except (ConnectionLost, Unreachable, Refused) as error:
                if isinstance(error, Refused) and not error.transient:
                    raise
                now = time.monotonic()
                broke_at = broke_at or now
                if now - broke_at > RECONNECT_FOR_S:
                    raise ConnectionLost(
                        f"jobd could not be reached for {RECONNECT_FOR_S:g} s: {error.message}",
                        hint=how_to_continue(set_id),
                    ) from None
                time.sleep(EVERY_S)
                continue
            now, broke_at = time.monotonic(), None
            ended = ended_count(view)
            pace.add(now, ended)
            if has_ended(view):
                return view
            text = line(view, pace.left_s(now, int(view.get("total") or 0) - ended))
            if screen is not None:
                screen.show(f"{output.bar(ended, view.get('total'))} {text}")
            elif now - said_at >= PLAIN_EVERY_S and line(view, None) != said:
                output.note(text)
                said, said_at = line(view, None), now
            if until is not None and now >= until:
                raise TimeoutError
            time.sleep(pause_s if until is None else max(0.0, min(pause_s, until - now)))
            pause_s = min(pause_s * 1.5, EVERY_S)


def how_to_continue(set_id: str) -> str:
    """Returns the commands that wait for the set, and that cancel it."""
    return f"{set_id} keeps running; to wait for it: jobctl wait {set_id}; to end it: jobctl cancel {set_id}"


def fetch_outputs(client: Client, set_id: str) -> None:
    """Fetches the outputs of the set's completed jobs to the destinations of their submission, once.

    Raises:
        JobctlError: the first failure, after all other outputs are fetched.
    """
    from jobctl.transfers.local_outputs import fetch_remembered, recall, remembers_any

    if not remembers_any():
        return
    failures: list[JobctlError] = []
    for job in each(client, {"set": set_id, "status": "completed"}):
        destinations, fetched = recall(str(job.get("uid") or ""))
        if destinations and not fetched:
            try:
                fetch_remembered(client, str(job["id"]))
            except JobctlError as error:
                failures.append(error)
    output.fail(failures, as_json=False)


def _first(failed: list[View]) -> Ended:
    if not failed:
        return Ended("completed", 0)
    # A job that failed says more than those that were cancelled because of it.
    job = next((one for one in failed if one["status"] != "cancelled"), failed[0])
    return Ended(str(job["status"]), job.get("exitCode"), job.get("reason"))


def _cause(job: View) -> str:
    if job.get("reason") in (None, "exit-code"):
        return f" with exit code {job['exitCode']}" if job.get("exitCode") is not None else ""
    return "" if job["reason"] == job["status"] else f" ({job['reason']})"
