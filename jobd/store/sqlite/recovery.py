"""What is done about a damaged write-ahead log before the database is opened: a copy is kept, and it is said.

Owns the copy's name and the words. What is damaged, `wal.py` finds out.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

from jobd.store.sqlite.wal import WalDamage, examine

_COPY = ".damaged-"


def before_open(database: Path, now: datetime) -> str | None:
    """Returns what to tell the operator, None where the log is whole and no copy of a damaged one is there.

    Keeps a copy of a damaged log, the newest alone, where there is room for it. A log that holds less than the database is moved
    out of the way: read again, it would put old pages over new ones. Raises: OSError.
    """
    wal = database.with_name(f"{database.name}-wal")
    index = database.with_name(f"{database.name}-shm")
    damage = examine(wal, index)
    if damage is None:
        copies = sorted(wal.parent.glob(f"{wal.name}{_COPY}*"))
        return _reminder(copies[-1]) if copies else None
    kept = _keep(wal, now, move=damage.database_is_newer)
    if damage.database_is_newer:
        index.unlink(missing_ok=True)
    return _told(wal, damage, kept)


def _keep(wal: Path, now: datetime, *, move: bool) -> Path | None:
    """Copies or moves the log beside itself. Returns the copy, None where there is no log or no room for a copy."""
    if not wal.exists():
        return None
    for old in wal.parent.glob(f"{wal.name}{_COPY}*"):
        old.unlink()
    kept = wal.with_name(f"{wal.name}{_COPY}{now:%Y%m%dT%H%M%SZ}")
    if move:
        wal.rename(kept)
        return kept
    try:
        with (
            wal.open("rb") as source,
            os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
        ):
            shutil.copyfileobj(source, to)
            to.flush()
            os.fsync(to.fileno())
    except OSError:
        kept.unlink(missing_ok=True)
        return None
    return kept


def _told(wal: Path, damage: WalDamage, kept: Path | None) -> str:
    where = f"at frame {damage.frame}" if damage.frame else "as a whole (its header)"
    lost = (
        f"{damage.commits} commit(s) or more, {damage.missing} page(s), that were acknowledged cannot be read, so changes of jobs, "
        "events or log lines from before the last end of jobd are missing"
        if damage.missing
        else "nothing is missing, since the database holds all that was in it"
    )
    copy = (
        f"the file is kept as {kept}; remove it when it is of no more use"
        if kept
        else "no copy could be kept"
    )
    return (
        f"{wal} is damaged {where}: {lost}. jobd goes on with what is readable. Check the disk and the kernel's log, "
        f"compare `jobctl ls` with what was submitted, or put a backup in place; {copy}."
    )


def _reminder(kept: Path) -> str:
    return f"{kept} is the copy of a write-ahead log that was damaged at an earlier start; remove it when it is of no more use."
