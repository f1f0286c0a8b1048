"""Private files and folders: checks that no other user can have created or replaced them.

The checks use open descriptors, since a name may refer to another file a moment later: jobd opens a folder without following
links, and opens the folder's entries relative to that descriptor. Once a folder belongs to the daemon's user, has mode 0700, and
other users can change none of its parent folders, its paths are safe to use.
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
    """Creates the folder if it is missing and sets its mode to 0700; returns its path without links and an open descriptor, which
    the caller closes. `variable`: the setting that error texts name.

    Raises:
        ConfigError: the path is a link, belongs to another user, or other users can change the folder or one of its parents.
        OSError: the folder cannot be created or opened.
    """
    if path.name in ("", ".."):
        path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    real = _without_links(path, variable)
    parent = os.open(real.parent, _FOLDER)
    try:
        return real, _open_folder(real, variable, parent)
    finally:
        os.close(parent)


def check_private_folder(path: Path, variable: str) -> bool:
    """Returns whether the folder exists. Checks what `private_folder` would, and creates and changes nothing.

    Raises:
        ConfigError: as `private_folder`; the folder is missing and this user cannot create it, or its disk is read-only.
        OSError: the folder cannot be opened.
    """
    if path.name in ("", ".."):
        path = path.resolve()
    if not os.path.lexists(path):
        require_can_create(path, variable)
        return False
    real = _without_links(path, variable)
    if real.is_symlink():
        raise _is_link(path, variable)
    folder = os.open(real, _FOLDER)
    try:
        _refuse_folder(os.fstat(folder), path, variable)
    finally:
        os.close(folder)
    if os.statvfs(real).f_flag & os.ST_RDONLY:
        raise ConfigError([f"{variable}: {path} is on a disk that is read-only; choose another path"])
    return True


def require_can_create(path: Path, variable: str) -> None:
    """Checks that this user can create `path`, and that no other user can change its parent folders. Raises ConfigError."""
    above = next(each for each in path.absolute().parents if os.path.lexists(each))
    if not above.is_dir():
        raise ConfigError([f"{variable}: {above} is no folder; choose another path"])
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError([f"{variable}: this user may create nothing in {above}; choose another path"])
    require_protected(above.resolve(strict=True), variable)


def private_subfolder(within: int, path: Path, variable: str) -> None:
    """Creates or checks the folder `path`, whose parent folder has the descriptor `within`.

    Raises:
        ConfigError, OSError: as `private_folder`.
    """
    os.close(_open_folder(path, variable, within))


def require_own_files(within: int, folder: Path, names: tuple[str, ...], variable: str) -> None:
    """Checks that each of these names below the descriptor `within` is missing or is a regular file of the daemon's user.

    Raises:
        ConfigError: a name is a link or no regular file, or belongs to another user.
    """
    for name in names:
        try:
            # O_PATH opens a link itself and needs no read permission; closing the descriptor releases no lock of SQLite.
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
        except FileNotFoundError:
            continue
        try:
            _refuse_file(os.fstat(file), folder / name, variable)
        finally:
            os.close(file)


def read_private(path: Path, variable: str) -> bytes:
    """Returns the content of a regular file of the daemon's user, at most 64 KiB.

    Raises:
        ConfigError: the path is a link or no regular file, or belongs to another user.
        OSError: the file cannot be read.
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


def require_protected(folder: Path, variable: str) -> None:
    """Checks that other users can change neither `folder`, a path without links, nor one of its parents. A sticky folder, such as
    /tmp, passes: users can remove only their own files there.

    Raises:
        ConfigError: other users can; names the folder.
    """
    for each in (folder, *folder.parents):
        facts = each.stat(follow_symlinks=False)
        if facts.st_uid not in (0, os.geteuid()):
            why = f"{each} belongs to another user, uid {facts.st_uid}, who can replace its content"
            remedy = "choose a path whose folders belong to root or to the user that runs jobd"
            raise ConfigError([f"{variable}: {why}; {remedy}"])
        if _others_can_write(facts) and not facts.st_mode & stat.S_ISVTX:
            raise ConfigError(
                [
                    f"{variable}: other users can change the content of {each}; run: chmod go-w {each}, or choose another path"
                ]
            )


def _without_links(path: Path, variable: str) -> Path:
    """Returns the path with the links in its parent folders resolved, which no other user can change."""
    real = path.parent.resolve(strict=True) / path.name
    if real == real.parent:
        raise ConfigError([f"{variable}: {real} cannot be a folder of jobd's own"])
    require_protected(real.parent, variable)
    return real


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
        _refuse_folder(os.fstat(folder), path, variable)
        os.fchmod(folder, 0o700)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _refuse_folder(facts: os.stat_result, path: Path, variable: str) -> None:
    _refuse_owner(facts, path, variable)
    if _others_can_write(facts):
        raise ConfigError(
            [f"{variable}: other users can write to {path}; check its content, then run: chmod 700 {path}"]
        )


def _others_can_write(facts: os.stat_result) -> bool:
    """True where users beside the owner can write. The daemon's own group counts as the owner: a umask of 002 lets it write."""
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
        remedy = f"run jobd as its owner, or change the owner: chown -R {os.geteuid()} {path}"
        raise ConfigError([f"{variable}: {why}; {remedy}"])


def _is_link(path: Path, variable: str) -> ConfigError:
    return ConfigError(
        [
            f"{variable}: {path} is a symbolic link, which jobd does not follow; use the link's target, or remove the link"
        ]
    )
