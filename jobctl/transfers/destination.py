"""The destination of an output: the meaning of DEST in `run --out` and `cp`, and whether an existing file or folder may be replaced.

A DEST that ends in `/`, `.` or `..` is a folder that gets the output under its own name. Any other DEST is replaced by the output as a
whole. `-` and open files such as /dev/stdout are written to, and so are devices and FIFOs. Changes no file; `replace.py` does.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.errors import LocalFile, Misuse
from jobctl.transfers.marks import first_foreign_path
from jobctl.transfers.transfer_flags import Transfer
from jobd.wire.files.filenames import escape, readable, unescape

STDOUT = 1
MOST_LINKS = 40
_DESCRIPTOR = re.compile(r"^(?:/dev/fd|/proc/(?:self|thread-self)/fd)/(\d{1,9})\Z")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": STDOUT, "/dev/stderr": 2}
_INSIDE = ("", ".", "..")
_STICKY_FOR_ALL = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Stream:
    """An open file of jobctl itself that the output is written to."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class Place:
    """A path that becomes the output; never a link. `contents`: the path is a folder that gets the entries of the output."""

    target: Path
    contents: bool = False


def shown(path: str | Path) -> str:
    """Returns a path for messages, with bytes that are not text escaped."""
    return escape(os.fsencode(path))


def resolve(path: str, destination: str) -> Stream | Place:
    """Returns the destination of the workspace's `path`, which is escaped as in a spec or has its own bytes. Follows a link at the
    destination, as `cp` does.

    Raises:
        LocalFile: the link is broken, leads in a circle, or belongs to another user in a folder where all users may write.
    """
    if destination == "-":
        return Stream(STDOUT)
    if "\0" in destination:
        raise LocalFile(f"the name {destination!r} is not one that a file can have")
    base = os.fsdecode(unescape(readable(path))).rstrip("/").rpartition("/")[2]
    given = Path.cwd() / _expanded(Path(destination))
    if destination.rpartition("/")[2] not in _INSIDE:
        return _followed(given)
    if base in ("", "."):
        return Place(given.resolve(), contents=True)
    return _followed(given / base)


def resolve_all(fetches: Sequence[Transfer]) -> list[Stream | Place]:
    """Returns the destinations of all outputs, checked before the job runs.

    Raises:
        Misuse: an output would replace another one.
        LocalFile: a destination cannot be written, or holds files that jobctl did not write.
    """
    places = [(f"--out {each.path}={each.local}", resolve(each.path, each.local)) for each in fetches]
    check_apart(places)
    for _, place in places:
        if isinstance(place, Place):
            check(place)
    return [place for _, place in places]


def check(place: Place) -> None:
    """Checks the destination before anything is fetched.

    Raises:
        LocalFile: the destination is a socket, a folder that may not be replaced, or in a folder that this user cannot write to.
    """
    target = place.target
    try:
        mode = target.lstat().st_mode
    except OSError:
        _check_parent(target)
        return
    if place.contents:
        if not stat.S_ISDIR(mode):
            raise LocalFile(f"{shown(target)} is not a folder")
    elif stat.S_ISDIR(mode):
        check_folder(target)
    elif stat.S_ISSOCK(mode):
        raise LocalFile(f"{shown(target)} is a socket; jobctl writes to no sockets")
    elif stat.S_ISREG(mode):
        _check_parent(target)


def check_folder(target: Path) -> None:
    """Checks that the folder `target` may be replaced: jobctl wrote all files in it, and they are unchanged.

    Raises:
        LocalFile: the folder holds other files, or is one that is never replaced.
    """
    inside = f"use {shown(target)}/ to put the output inside"
    if why := _protected(target):
        raise LocalFile(f"jobctl does not replace {shown(target)}: it is {why}", hint=inside)
    try:
        foreign = first_foreign_path(target)
    except OSError as error:
        raise LocalFile(
            f"jobctl does not replace {shown(target)}, which cannot be read: {error.strerror}"
        ) from None
    if foreign is not None:
        raise LocalFile(
            f"jobctl does not replace {shown(target)}: its file {shown(foreign)} was not written by jobctl, or was changed since",
            hint=f"{inside}, choose another name, or move the folder",
        )
    _check_parent(target)


def check_apart(places: Sequence[tuple[str, Stream | Place]]) -> None:
    """Checks that no output replaces an earlier one; `places`: flags and their destinations, in order.

    Raises:
        Misuse: two outputs have the same destination, or a later one replaces a folder around an earlier one.
    """
    earlier: list[tuple[str, Path]] = []
    streams: set[int] = set()
    for flag, place in places:
        if isinstance(place, Stream):
            if place.descriptor in streams:
                raise Misuse(f"{flag}: only one output can go to stdout", field="artifacts")
            streams.add(place.descriptor)
            continue
        real = place.target.resolve()
        for before, taken in earlier:
            if not place.contents and taken.is_relative_to(real):
                raise Misuse(
                    f"{flag} would replace the output of {before}",
                    field="artifacts",
                    hint="use different destinations, the outer folder first",
                )
        earlier.append((flag, real))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _followed(path: Path) -> Stream | Place:
    for step in range(MOST_LINKS):
        if (descriptor := _descriptor(path)) is not None:
            return Stream(descriptor)
        if path.name in _INSIDE:  # the target of a link
            path = path.resolve()
        try:
            status = path.lstat()
        except FileNotFoundError:
            if step:
                raise LocalFile(
                    f"a link leads to {shown(path)}, which does not exist",
                    hint="remove the link, or create the file",
                ) from None
            return Place(path)
        except OSError:
            return Place(path)  # `check` reports the error
        if not stat.S_ISLNK(status.st_mode):
            return Place(path)
        _check_owner(path, status)
        path = path.parent / path.readlink()
    raise LocalFile(f"{shown(path)} is a link that leads back to itself")


def _descriptor(path: Path) -> int | None:
    normal = os.path.normpath(path)
    if normal in _STANDARD:
        return _STANDARD[normal]
    if found := _DESCRIPTOR.match(normal):
        return int(found[1])
    return None


def _check_owner(link: Path, status: os.stat_result) -> None:
    """Applies the kernel's rule for followed links. Source: proc_sys_fs(5), "protected_symlinks"."""
    folder = link.parent.stat()
    open_to_all = folder.st_mode & _STICKY_FOR_ALL == _STICKY_FOR_ALL
    if open_to_all and status.st_uid not in (os.geteuid(), folder.st_uid):
        raise LocalFile(f"{shown(link)} is a link of another user; jobctl does not follow it")


def _check_parent(target: Path) -> None:
    """Checks that this user can write to the nearest existing folder above `target`."""
    for folder in target.parents:
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LocalFile(f"{shown(target)} cannot be written: {(error.strerror or '').lower()}") from None
        if not stat.S_ISDIR(mode):
            raise LocalFile(f"{shown(target)} cannot be written: {shown(folder)} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LocalFile(
                f"{shown(target)} cannot be written: this user cannot write to {shown(folder)}",
                hint="the file itself is writable: redirect the output to it, PATH=- > FILE"
                if os.access(target, os.W_OK)
                else None,
            )
        return


def _protected(target: Path) -> str | None:
    """Returns why a folder is never replaced, even when empty; None: it may be."""
    real = target.resolve()
    if real == Path("/"):
        return "the root folder"
    if os.path.ismount(real):
        return "a mount point"
    home = _expanded(Path("~")).absolute().resolve()
    if home.is_relative_to(real):
        return "the home folder, or contains it"
    if Path.cwd().resolve().is_relative_to(real):
        return "the working directory, or contains it"
    return None
