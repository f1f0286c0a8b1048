"""What is kept of a delivery between its answer and its record: what it is found by, without its body, URL and key.

The store may be slow or refuse for a long time, and many answers wait for it: none of them may keep what it has sent.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from jobd.store.tables.rows import Due


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """One delivery that was answered. Its texts together are shorter than 9 KiB."""

    id: int
    job_uid: str
    job_id: str
    destination: str
    created_at: datetime

    @classmethod
    def of(cls, due: Due) -> Self:
        """Returns what is kept of `due`."""
        return cls(due.id, due.job_uid, due.job_id, due.destination, due.created_at)
