"""Resolves a path as a user would, with that user's rights: every link, every `..`, and the right to search every folder.

Owns the walk. Each name is opened relative to the folder before it, without following links, and its attributes are read from the open
descriptor: what is checked is one object, whatever its name becomes meanwhile. `rights.py` has the rules.

Source: path_resolution(7); open(2), O_PATH.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jobd.jobs.mounts.rights import SEARCH, AclEntry, Attributes, Identity, acl_of, may

MOST_LINKS = 40
_ACL = "system.posix_acl_access"
_WITHOUT_ACL = frozenset({errno.ENODATA, errno.ENOTSUP})
_OPEN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

FileId = tuple[int, int]
"""Device and inode: the same object under all its names."""


class PathRefused(Exception):
    """The path cannot be used; the text says why, and names no file that the user cannot see."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path without links and `..`. `ids`: the folders on the way, from the root, and the object itself. `attributes`: the object's."""

    path: str
    ids: tuple[FileId, ...]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    descriptor: int
    attributes: Attributes
    id: FileId


def resolve(path: str, identity: Identity | None, closed: Sequence[str] = ()) -> Resolved:
    """Returns the object at the absolute `path`. `identity`: whose rights to search count; None: only those of this process. `closed`:
    folders that no path may lead into: links below /proc are no names.

    Raises:
        PathRefused: a name does not exist, a folder may not be searched, or there are too many links.
    """
    with _walk() as steps:
        waiting, links = deque(path.split("/")), 0
        while waiting:
            name = waiting.popleft()
            if name in ("", "."):
                continue
            here = steps[-1]
            where = _path_of(steps)
            if where in closed:
                raise PathRefused(f"no job gets a path below {where}; for a device use --device")
            if not stat.S_ISDIR(here.attributes.mode):
                raise PathRefused(f"{where!r} is no folder")
            if identity is not None and not may(identity, here.attributes, SEARCH):
                raise PathRefused(_unsearchable(here, where))
            if name == "..":
                if len(steps) > 1:
                    os.close(steps.pop().descriptor)
                continue
            step = _opened(here, name, where)
            if not stat.S_ISLNK(step.attributes.mode):
                steps.append(step)
                continue
            links += 1
            target = _target(step, where)
            if links > MOST_LINKS:
                raise PathRefused(f"{path!r} has too many links")
            if target.startswith("/"):
                while len(steps) > 1:
                    os.close(steps.pop().descriptor)
            waiting.extendleft(reversed(target.split("/")))
        return Resolved(_path_of(steps), tuple(step.id for step in steps), steps[-1].attributes)


def ids_of(path: str) -> tuple[FileId, ...]:
    """Returns the ids of the folders on the way to an existing path, and of the object there; none if there is no such path."""
    try:
        return resolve(path, None).ids
    except PathRefused:
        return ()


@contextmanager
def _walk() -> Iterator[list[_Step]]:
    descriptor = os.open("/", _OPEN | os.O_DIRECTORY)
    steps = [_step("", descriptor)]
    try:
        yield steps
    finally:
        for step in steps:
            os.close(step.descriptor)


def _opened(folder: _Step, name: str, where: str) -> _Step:
    try:
        descriptor = os.open(name, _OPEN, dir_fd=folder.descriptor)
    except FileNotFoundError:
        raise PathRefused(f"there is no {name!r} in {where!r}; make it first") from None
    except PermissionError:
        raise PathRefused(f"jobd's own account may not look into the folder {where!r}") from None
    except OSError as error:
        raise PathRefused(f"cannot open {name!r} in {where!r}: {error.strerror}") from None
    try:
        return _step(name, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _unsearchable(folder: _Step, where: str) -> str:
    """Returns why the caller may not search a folder. systemd hides folders from a service as folders that nobody may search."""
    if stat.S_IMODE(folder.attributes.mode) or folder.attributes.uid != 0:
        return f"you may not search the folder {where!r}"
    return f"nobody may search the folder {where!r}; where systemd hides it from jobd, a drop-in with ProtectHome=read-only shows it"


def _target(link: _Step, where: str) -> str:
    """Returns where the link points, and closes its descriptor."""
    try:
        return os.readlink("", dir_fd=link.descriptor)
    except OSError:
        raise PathRefused(f"the link {link.name!r} in {where!r} cannot be read") from None
    finally:
        os.close(link.descriptor)


def _step(name: str, descriptor: int) -> _Step:
    found = os.fstat(descriptor)
    attributes = Attributes(found.st_uid, found.st_gid, found.st_mode, _acl(descriptor, found.st_mode))
    return _Step(name, descriptor, attributes, (found.st_dev, found.st_ino))


def _acl(descriptor: int, mode: int) -> tuple[AclEntry, ...]:
    if stat.S_ISLNK(mode):
        return ()
    try:
        # A descriptor of O_PATH gives no extended attributes; its name below /proc refers to the same object.
        return acl_of(os.getxattr(f"/proc/self/fd/{descriptor}", _ACL))
    except OSError as error:
        if error.errno in _WITHOUT_ACL:
            return ()
        raise PathRefused("the access list of a folder on the way cannot be read") from None
    except ValueError as error:
        raise PathRefused(f"{error}, of a folder on the way") from None


def _path_of(steps: list[_Step]) -> str:
    return "/" + "/".join(step.name for step in steps[1:])
