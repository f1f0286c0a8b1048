"""Replaces a file or folder atomically: other programs see either the old one or the new one.

The new file is written beside its destination under a hidden name and then renamed. When jobctl is killed, the old file remains, and
the next call removes the hidden one. `destination.py` decides whether a file may be replaced.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobctl.transfers import marks

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TOKEN_BYTES = 4
_TOKEN = re.compile(r"[0-9a-f]{8}(-old)?")
_TRIES = 10


@contextmanager
def new_file(folder: int, name: str, before: os.stat_result | None = None) -> Iterator[int]:
    """Gives a file to write to. The end of the block renames it to `name` in the open `folder`; an error removes it. `before`: the status
    of the file that is replaced; the new file gets its mode and, where permitted, its owner.
    """
    partial = hidden(name)
    descriptor = os.open(partial, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if before is not None:
                _copy_attributes(descriptor, before)
            yield descriptor
            marks.mark(descriptor)
        finally:
            os.close(descriptor)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(partial, dir_fd=folder)
        raise


@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """Gives the path of an empty folder in `parent`, to be filled and renamed. The end of the block removes what is at that path."""
    sweep(parent, name)
    path, descriptor = _locked_folder(parent, name)
    try:
        marks.mark(descriptor)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _locked_folder(parent: Path, name: str) -> tuple[Path, int]:
    """Creates and locks the folder. Tries again where another process removes the folder as a leftover before the lock."""
    for _ in range(_TRIES):
        path = parent / hidden(name)
        path.mkdir()
        try:
            descriptor = os.open(path, FOLDER | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        except OSError:
            return path, descriptor  # the file system has no locks
        if path.exists():
            return path, descriptor
        os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "another process removes the new folders", str(parent))


def put_in_place(new: Path, target: Path) -> None:
    """Renames `new` to `target`. A replaced folder is at the path `new` afterwards."""
    try:
        new.rename(target)
        return
    except OSError:
        if not target.is_dir():
            raise
    if not _exchanged(new, target):
        # The file system cannot exchange two names: between the renames the target does not exist.
        aside = new.with_name(f"{new.name}-old")
        target.rename(aside)
        try:
            new.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        aside.rename(new)


def hidden(name: str) -> str:
    """Returns a new hidden name for an unfinished file. A file name may have 255 bytes, so `name` is cut by bytes."""
    return f"{_stem(name)}{secrets.token_hex(_TOKEN_BYTES)}"


def _stem(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:180])}.jobctl-"


def _copy_attributes(descriptor: int, before: os.stat_result) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (before.st_uid, before.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o777)


def _exchanged(one: Path, other: Path) -> bool:
    """Source: rename(2), RENAME_EXCHANGE."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def sweep(parent: Path, name: str) -> None:
    """Removes the hidden files that killed processes left for `name`. A running process holds a lock on its file."""
    stem = _stem(name)
    with suppress(OSError):
        for path in parent.iterdir():
            if path.name.startswith(stem) and _TOKEN.fullmatch(path.name, len(stem)):
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(descriptor)
