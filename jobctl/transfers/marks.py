"""Marks on files and folders that jobctl wrote. jobctl replaces a folder only where all files in it have a valid mark.

A mark is an extended attribute with the inode number, and for a file its size and modification time: a copy, a changed file and a file
of another program have no valid mark. On a file system without extended attributes jobctl replaces no folder.

Source: xattr(7), "User extended attributes".
"""

import os
import stat
from pathlib import Path

NAME = "user.jobctl.written"


def mark(descriptor: int) -> None:
    """Marks the open file or folder in its present state. Does nothing on a file system without extended attributes."""
    try:
        os.setxattr(descriptor, NAME, _mark_for(os.fstat(descriptor)))
    except OSError:
        pass  # the next copy will refuse to replace the folder


def is_marked(path: Path) -> bool:
    """True where `path` is unchanged since jobctl wrote it. False for a link."""
    try:
        return os.getxattr(path, NAME, follow_symlinks=False) == _mark_for(path.lstat())
    except OSError:
        return False


def first_foreign_path(folder: Path) -> Path | None:
    """Returns the first path below `folder`, relative to it, that has no valid mark. None: the folder is empty, or all marks are valid.

    Raises:
        OSError: a part of the folder cannot be read.
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


def _mark_for(status: os.stat_result) -> bytes:
    if stat.S_ISDIR(status.st_mode):
        return b"%d" % status.st_ino
    return b"%d:%d:%d" % (status.st_ino, status.st_size, status.st_mtime_ns)
