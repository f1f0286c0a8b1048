"""An event before it has an id, a number and a time: what a change of a job tells its receiver. Pure data."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be: its type and data, before it has an id, a time and a sequence number.

    `key`: what makes its id unique within the job, where it must be the same whoever sends it; else its number does.
    `sent`: the sidecar has delivered it; it is kept for the feed alone.
    """

    type: str
    data: dict[str, Any]
    key: str | None = None
    sent: bool = False
