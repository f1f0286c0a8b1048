"""Files and folders that nobody but the daemon's own user may have put where they are.

Owns the checks. They look at what is open, never at a name that can mean something else a moment later: a folder is opened
without following a link, and what is in it is opened beneath that descriptor. Once a folder belongs to the daemon's user, is
closed to all others (0700), and no folder on the way to it can be changed by others, nothing in it changes behind the
daemon's back; its paths can be used as they are.
"""

import os
import stat
from pathlib import Path

from jobd.errors import ConfigError

MAX_FILE_BYTES = 64 * 1024
_OTHERS_WRITE = 0o002
_GROUP_WRITES = 0o020
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def private_folder(path: Path, variable: str) -> tuple[Path, int]:
    """Returns the folder's path without links and a descriptor of it, which the caller closes: made where it is missing,
    0700, of the daemon's own user.

    Raises:
        ConfigError: it is a link, belongs to another user, or others can change it or a folder on the way to it.
        OSError: it cannot be made or opened.
    """
    if path.name in ("", ".."):
        path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    real = path.parent.resolve(strict=True) / path.name
    if real == real.parent:
        raise ConfigError([f"{variable}: {real} cannot be a folder of jobd's own"])
    refuse_changeable(real.parent, variable)
    parent = os.open(real.parent, _FOLDER)
    try:
        return real, _open_folder(real, variable, parent)
    finally:
        os.close(parent)


def private_subfolder(within: int, path: Path, variable: str) -> None:
    """Makes sure of the folder `path`, which is directly below the one that `within` is a descriptor of.

    Raises:
        ConfigError, OSError: as `private_folder`.
    """
    os.close(_open_folder(path, variable, within))


def refuse_foreign(within: int, folder: Path, names: tuple[str, ...], variable: str) -> None:
    """Returns where each of these names is missing below `within`, or is a regular file of the daemon's own user.

    Raises:
        ConfigError: one is a link, something else, or belongs to another user.
    """
    for name in names:
        try:
            # O_PATH opens a link itself and needs no right to read; closing it drops no lock of SQLite's.
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
        except FileNotFoundError:
            continue
        try:
            _refuse_file(os.fstat(file), folder / name, variable)
        finally:
            os.close(file)


def read_private(path: Path, variable: str) -> bytes:
    """Returns what a regular file of the daemon's own user holds, at most 64 KiB.

    Raises:
        ConfigError: it is a link, something else, or belongs to another user.
        OSError: it cannot be read.
    """
    try:
        file = os.open(path, _FILE)
    except OSError:
        if path.is_symlink():
            raise _is_link(path, variable) from None
        raise
    with os.fdopen(file, "rb") as opened:
        _refuse_file(os.fstat(opened.fileno()), path, variable)
        return opened.read(MAX_FILE_BYTES)


def refuse_changeable(folder: Path, variable: str) -> None:
    """Returns where others can change neither `folder`, which has no links in it, nor a folder on the way to it. A folder in
    which users can remove only what is their own (the sticky bit, as of /tmp) is none that others can change.

    Raises:
        ConfigError: they can; names the folder.
    """
    for each in (folder, *folder.parents):
        facts = each.stat(follow_symlinks=False)
        if facts.st_uid not in (0, os.geteuid()):
            why = f"{each} belongs to another user, uid {facts.st_uid}, who can put something else in the place of what is in it"
            helps = "choose a path whose folders belong to root or to the user that runs jobd"
            raise ConfigError([f"{variable}: {why}; {helps}"])
        if _others_can_write(facts) and not facts.st_mode & stat.S_ISVTX:
            raise ConfigError(
                [
                    f"{variable}: other users can change what is in {each}; run: chmod go-w {each}, or choose another path"
                ]
            )


def _open_folder(path: Path, variable: str, within: int) -> int:
    try:
        os.mkdir(path.name, 0o700, dir_fd=within)
    except FileExistsError:
        pass
    try:
        folder = os.open(path.name, _FOLDER, dir_fd=within)
    except OSError:
        if path.is_symlink():
            raise _is_link(path, variable) from None
        raise
    try:
        facts = os.fstat(folder)
        _refuse_owner(facts, path, variable)
        if _others_can_write(facts):
            raise ConfigError(
                [
                    f"{variable}: other users can write to {path}; look at what is in it, then run: chmod 700 {path}"
                ]
            )
        os.fchmod(folder, 0o700)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _others_can_write(facts: os.stat_result) -> bool:
    """The user's own group, as of a umask of 002, is nobody else."""
    own_group = facts.st_gid == os.getegid()
    return bool(facts.st_mode & (_OTHERS_WRITE if own_group else _OTHERS_WRITE | _GROUP_WRITES))


def _refuse_file(facts: os.stat_result, path: Path, variable: str) -> None:
    if stat.S_ISLNK(facts.st_mode):
        raise _is_link(path, variable)
    if not stat.S_ISREG(facts.st_mode):
        raise ConfigError([f"{variable}: {path} is no regular file; move it away"])
    _refuse_owner(facts, path, variable)


def _refuse_owner(facts: os.stat_result, path: Path, variable: str) -> None:
    if facts.st_uid != os.geteuid():
        why = f"{path} belongs to uid {facts.st_uid} and jobd runs as uid {os.geteuid()}"
        helps = f"run jobd as its owner, or make it jobd's own: chown -R {os.geteuid()} {path}"
        raise ConfigError([f"{variable}: {why}; {helps}"])


def _is_link(path: Path, variable: str) -> ConfigError:
    return ConfigError(
        [
            f"{variable}: {path} is a symbolic link, which is not followed; name the place that it leads to, or remove it"
        ]
    )
