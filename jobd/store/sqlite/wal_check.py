"""A damaged write-ahead log, before the database is opened: jobd keeps a copy and warns the operator.

Owns the copy's name and the warning's text. `wal.py` detects the damage.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

from jobd.store.sqlite.wal import WalDamage, examine

_COPY = ".damaged-"


def check_wal(database: Path, now: datetime) -> str | None:
    """Returns a warning for the operator, None where the log is whole and no copy of a damaged log exists.

    Copies a damaged log if the disk has space, and keeps the newest copy only. Moves a log that is older than the database away:
    SQLite would overwrite newer pages with its older ones. Raises: OSError.
    """
    wal = database.with_name(f"{database.name}-wal")
    index = database.with_name(f"{database.name}-shm")
    damage = examine(wal, index)
    if damage is None:
        copies = sorted(wal.parent.glob(f"{wal.name}{_COPY}*"))
        return _reminder(copies[-1]) if copies else None
    kept = _save_copy(wal, now, move=damage.database_is_newer)
    if damage.database_is_newer:
        index.unlink(missing_ok=True)
    return _warning(wal, damage, kept)


def _save_copy(wal: Path, now: datetime, *, move: bool) -> Path | None:
    """Copies or moves the log within its folder. Returns the copy, None where there is no log or no space for a copy."""
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


def _warning(wal: Path, damage: WalDamage, kept: Path | None) -> str:
    where = f"at frame {damage.frame}" if damage.frame else "as a whole (its header)"
    lost = (
        f"at least {damage.commits} acknowledged commit(s), {damage.missing} page(s), cannot be read, so changes of jobs, "
        "events or log lines from before jobd's last end are missing"
        if damage.missing
        else "nothing is missing, since the database already has all its commits"
    )
    copy = (
        f"jobd has kept the file as {kept}; remove it when you no longer need it"
        if kept
        else "jobd could not keep a copy"
    )
    return (
        f"{wal} is damaged {where}: {lost}. jobd continues with the readable part. Check the disk and the kernel's log, "
        f"compare `jobctl ls` with the jobs that you submitted, or restore a backup; {copy}."
    )


def _reminder(kept: Path) -> str:
    return f"{kept} is the copy of a write-ahead log that was damaged at an earlier start; remove it when you no longer need it."
