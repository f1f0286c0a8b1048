"""Marks on what jobctl wrote: how a later copy knows that it may replace a folder, and that nobody else put something there.

A mark is an extended attribute. It holds the inode number, and of a file its size and time of change: a copy, a changed file and a
file of somebody else carry no valid mark. Where a file system keeps no such attributes, nothing is marked and so nothing is
replaced. Owns the form of the mark.

Source: xattr(7), "User extended attributes".
"""

import os
import stat
from pathlib import Path

NAME = "user.jobctl.written"


def mark(descriptor: int) -> None:
    """Marks the open file or folder, as it is now. Without effect where the file system has no extended attributes."""
    try:
        os.setxattr(descriptor, NAME, _of(os.fstat(descriptor)))
    except OSError:
        pass  # the next copy asks for the folder to be removed


def is_marked(path: Path) -> bool:
    """True where `path` is as jobctl wrote it. A link never is."""
    try:
        return os.getxattr(path, NAME, follow_symlinks=False) == _of(path.lstat())
    except OSError:
        return False


def first_stranger(folder: Path) -> Path | None:
    """Returns the first path below `folder` that is not as jobctl wrote it, relative to it. None: the folder is empty, or all
    of it is jobctl's.

    Raises:
        OSError: a part of it cannot be read.
    """
    with os.scandir(folder) as entries:
        first = next(entries, None)
    if first is None:
        return None
    if not is_marked(folder):
        return Path(first.name)
    todo: list[Path] = [folder]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if not is_marked(path):
                    return path.relative_to(folder)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
    return None


def _of(status: os.stat_result) -> bytes:
    if stat.S_ISDIR(status.st_mode):
        return b"%d" % status.st_ino
    return b"%d:%d:%d" % (status.st_ino, status.st_size, status.st_mtime_ns)
