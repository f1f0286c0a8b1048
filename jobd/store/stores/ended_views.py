"""What the API responds about ended jobs, kept in memory until the job's row changes.

Owns the bound of this memory and the order of writes and reads. The bytes are the caller's: the store does not know their meaning.

A commit drops the bytes of the jobs that the commit has changed before the writer reports the commit to anybody. Bytes made from an
older row cannot come in later: `keep` refuses bytes that were read before the latest drop.
"""

import sqlite3
from collections import OrderedDict

from jobd.store.tables.jobs import job_changes

MAX_BYTES = 4 << 20
LONGEST_BYTES = 64 << 10
ENTRY_BYTES = 256
"""About what an entry takes beside its id and its bytes."""
MAX_CHANGED = 1024
"""So many changed ids are remembered for one commit; a commit that changes more jobs drops everything."""


class EndedViews:
    """The bytes by job id, those that were asked for last. `changes` counts the commits that have dropped something or might have.

    `watch` and `take` run on the writer's thread, everything else on the event loop.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._changed: set[str] | None = set()
        """The ids that the present group of changes has changed; None: more than are remembered."""

    def get(self, job_id: str) -> bytes | None:
        """Returns the bytes that are kept for this id."""
        kept = self._kept.get(job_id)
        if kept is not None:
            self._kept.move_to_end(job_id)
        return kept

    def keep(self, job_id: str, view: bytes, changes: int) -> None:
        """Keeps `view`, which the caller has made from the newest visible row with this id alone. `changes`: the count before that row
        was read.
        """
        if changes != self.changes or len(view) > LONGEST_BYTES:
            return
        self._drop(job_id)
        self._kept[job_id] = view
        self._kept_bytes += _size(job_id, view)
        while self._kept_bytes > MAX_BYTES:
            self._drop(next(iter(self._kept)))

    def drop(self, changed: set[str] | None) -> None:
        """Drops the bytes of these ids; None: all."""
        if changed is None:
            self._kept.clear()
            self._kept_bytes = 0
        elif not changed:
            return
        else:
            for job_id in changed:
                self._drop(job_id)
        self.changes += 1

    def _drop(self, job_id: str) -> None:
        view = self._kept.pop(job_id, None)
        if view is not None:
            self._kept_bytes -= _size(job_id, view)

    # On the writer's thread:

    def watch(self, connection: sqlite3.Connection) -> None:
        """Notes every job that this connection changes."""
        job_changes.watch(connection, self._note)

    def take(self) -> set[str] | None:
        """Returns the ids that were changed since the last call, for `drop`; None: more than are remembered."""
        changed, self._changed = self._changed, set()
        return changed

    def _note(self, job_id: str) -> None:
        if self._changed is not None:
            self._changed.add(job_id)
            if len(self._changed) > MAX_CHANGED:
                self._changed = None


def _size(job_id: str, view: bytes) -> int:
    return len(job_id) + len(view) + ENTRY_BYTES
