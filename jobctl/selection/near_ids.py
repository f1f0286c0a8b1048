"""The errors for ids that no job and no set has, with similar ids. A similar id costs a request, which only this error makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jobctl.errors import JobctlError, NotFound

if TYPE_CHECKING:
    from jobctl.connection.client import Client

MOST_COMPARED = 200
MOST_SHOWN = 3
SHORTEST_PART = 3


def no_job(client: Client, text: str) -> NotFound:
    """Returns the error for an id that no job has."""
    return NotFound(f"no job {text!r}", hint=_hint(client, text, "jobs", "jobctl ls -a lists all jobs"))


def no_set(client: Client, text: str) -> NotFound:
    """Returns the error for an id that no set has."""
    return NotFound(f"no set {text!r}", hint=_hint(client, text, "sets", "jobctl sets lists the sets"))


def _hint(client: Client, text: str, what: str, otherwise: str) -> str:
    try:
        page = json.loads(client.get(f"/v1/{what}", {"limit": MOST_COMPARED}))
        near = near_ids(text, (str(one["id"]) for one in page[what]))
    except (JobctlError, ValueError, KeyError, TypeError):
        near = []  # an older daemon: the error counts without them
    if not near:
        return otherwise
    return f"did you mean {' or '.join(near)}? {otherwise}"


def near_ids(text: str, ids: Iterable[str]) -> list[str]:
    """Returns the ids with the fewest wrong letters, then those that contain the text, as its end for instance; at most `MOST_SHOWN`. Pure."""
    from jobctl.suggestion import allowed, distance

    known = list(dict.fromkeys(ids))
    low = text.lower()
    holding = [one for one in known if len(low) >= SHORTEST_PART and low in one.lower()]
    slips = {one: distance(low, one.lower()) for one in known if abs(len(one) - len(text)) <= 2}
    similar = [one for one, count in slips.items() if count <= allowed(one, careful=False)]
    fewest = min(map(slips.__getitem__, similar), default=0)
    similar = [one for one in similar if slips[one] == fewest]
    return list(dict.fromkeys([*similar, *holding]))[:MOST_SHOWN]
