"""Which workspaces other jobs need, so that jobd does not remove them.

Owns the decision whether a workspace may be removed now: a job that reads a workspace holds it, and a removal that has begun admits no
new holder. In memory: a start of jobd rebuilds the holds from the records (`Supervisors.start_all`) before anything is removed. Belongs
to the event loop; no call awaits anything, so a check and its consequence are one step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from jobd.jobs.record.record import Record
from jobd.jobs.record.states import LoadingInputs, Pulling, Queued

_BEFORE_THE_RUN = (Queued, Pulling, LoadingInputs)


class BeingRemoved(Exception):
    """jobd is removing the workspace."""


class _Holder(NamedTuple):
    """A job that holds a workspace. `files`: the job reads the workspace, so a user's removal of it is refused too."""

    id: str
    files: bool


class Reservation:
    """The workspaces that a submission needs, held until the new job's record holds them itself."""

    def __init__(self, removing: dict[str, None], reserved: dict[str, int]) -> None:
        self._removing = removing
        self._reserved = reserved
        self.uids: list[str] = []

    def add(self, uid: str) -> None:
        """Holds a workspace. Raises BeingRemoved."""
        if uid in self._removing:
            raise BeingRemoved
        self.uids.append(uid)
        self._reserved[uid] = self._reserved.get(uid, 0) + 1


class WorkspaceHolds:
    """The holds of all jobs, by the uids of the holders and of the jobs whose workspaces they hold."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[str, _Holder]] = {}
        self._held: dict[str, frozenset[tuple[str, bool]]] = {}
        self._reserved: dict[str, int] = {}
        self._removing: dict[str, None] = {}
        """The jobs whose workspaces are being removed: deleted jobs, and one ended job at a time."""

    def follow(self, record: Record) -> None:
        """Takes in a job's record: the job holds the workspaces that it still needs, and no others."""
        needed = needed_by(record)
        if needed == self._held.get(record.uid, frozenset()):
            return
        self.release(record.uid)
        for uid, files in needed:
            self._holders.setdefault(uid, {})[record.uid] = _Holder(record.id, files)
        if needed:
            self._held[record.uid] = needed

    def end_reading(self, record: Record) -> None:
        """The job has ended. A user may delete the jobs whose files it has taken; jobd itself keeps their workspaces until the next `follow`,
        since the job's sidecar may still have them mounted.
        """
        if needed_by(record):
            return
        for uid, _ in self._held.get(record.uid, frozenset()):
            self._holders[uid][record.uid] = _Holder(record.id, files=False)

    def release(self, holder_uid: str) -> None:
        """The job holds no workspace any more. Safe to repeat."""
        for uid, _ in self._held.pop(holder_uid, frozenset()):
            holders = self._holders[uid]
            del holders[holder_uid]
            if not holders:
                del self._holders[uid]

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """Holds what the block adds, until its end."""
        made = Reservation(self._removing, self._reserved)
        try:
            yield made
        finally:
            for uid in made.uids:
                self._reserved[uid] -= 1
                if not self._reserved[uid]:
                    del self._reserved[uid]

    def readers(self, uid: str) -> list[str]:
        """Returns the ids of the jobs that take files of this job's workspace."""
        return [one.id for one in self._holders.get(uid, {}).values() if one.files]

    def begin_removal(self, uid: str) -> bool:
        """Returns False if a job, or a submission under way, holds the workspace. Else no job can hold it until `end_removal`."""
        if uid in self._holders or uid in self._reserved:
            return False
        self._removing[uid] = None
        return True

    def begin_deletion(self, uid: str) -> list[str]:
        """Returns the jobs that take files of the workspace; a user wants it removed. Without one, no job can hold it any more."""
        readers = self.readers(uid)
        if not readers:
            self._removing[uid] = None
        return readers

    def end_removal(self, uid: str) -> None:
        """The workspace is removed, or its removal was given up. Safe to repeat."""
        self._removing.pop(uid, None)


def needed_by(record: Record) -> frozenset[tuple[str, bool]]:
    """Returns the jobs whose workspaces the job needs, by uid, and whether the job reads their files. Pure.

    A source of files is needed to the job's end: its containers have the workspace mounted, and a repeated attempt copies again. A job
    that is only awaited keeps its workspace until the command may start. A job that has taken over a workspace needs it until the job's own
    containers are removed.
    """
    if record.takes is not None and record.removal is None and not record.is_deleted:
        return frozenset({(record.takes.workspace.uid, True)})
    if record.ended:
        return frozenset()
    waits = isinstance(record.state, _BEFORE_THE_RUN)
    needed = {source.uid: source.files for source in record.sources if source.files or waits}
    return frozenset(needed.items())
