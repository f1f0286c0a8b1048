"""Where an output goes: what a DEST of `run --out` and `cp` means, and whether what is there may be replaced.

The rule: a DEST that ends in `/`, `.` or `..` is a folder that the output goes into, under its own name. Any other DEST becomes the
output, replaced as a whole. `-` and open files such as /dev/stdout are written to, and so are devices and FIFOs. Looks at
files and changes none; replacing is `replace.py`.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.errors import LocalFile, Misuse
from jobctl.job.transfers import Carry
from jobctl.transfers.marks import first_stranger
from jobd.wire.filenames import escape, readable, unescape

STDOUT = 1
MOST_LINKS = 40
_DESCRIPTOR = re.compile(r"^(?:/dev/fd|/proc/(?:self|thread-self)/fd)/(\d{1,9})\Z")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": STDOUT, "/dev/stderr": 2}
_INSIDE = ("", ".", "..")
_STICKY_FOR_ALL = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Stream:
    """An open file of jobctl's own that the output is written to."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class Place:
    """A path that becomes the output; it is not a link. `contents`: it is a folder, and what the output holds goes into it,
    each entry under its own name.
    """

    target: Path
    contents: bool = False


def shown(path: str | Path) -> str:
    """Returns a path as messages show it: what is no text is escaped."""
    return escape(os.fsencode(path))


def resolve(path: str, destination: str) -> Stream | Place:
    """Returns where the workspace's `path` goes; a path in it is escaped as in a spec, or has its own bytes. A link at the
    destination is followed, as `cp` does.

    Raises:
        LocalFile: the link leads nowhere, in a circle, or is another user's in a folder where all may write.
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


def resolve_all(fetches: Sequence[Carry]) -> list[Stream | Place]:
    """Returns where outputs go, looked at before the job runs.

    Raises:
        Misuse: one would replace another.
        LocalFile: one cannot be written, or would replace what is not jobctl's.
    """
    places = [(f"--out {carry.path}={carry.local}", resolve(carry.path, carry.local)) for carry in fetches]
    check_apart(places)
    for _, place in places:
        if isinstance(place, Place):
            check(place)
    return [place for _, place in places]


def check(place: Place) -> None:
    """Says before anything is fetched what cannot become the output, as far as that is known before it is seen.

    Raises:
        LocalFile: a socket, a folder that may not be replaced, or a folder on the way that cannot be written to.
    """
    target = place.target
    try:
        mode = target.lstat().st_mode
    except OSError:
        _check_way(target)
        return
    if place.contents:
        if not stat.S_ISDIR(mode):
            raise LocalFile(f"{shown(target)} is no folder")
    elif stat.S_ISDIR(mode):
        check_folder(target)
    elif stat.S_ISSOCK(mode):
        raise LocalFile(f"{shown(target)} is a socket, which files are not written to")
    elif stat.S_ISREG(mode):
        _check_way(target)


def check_folder(target: Path) -> None:
    """Makes sure that the folder `target` may be replaced: all that is in it was written by jobctl and not changed since.

    Raises:
        LocalFile: something in it is another's, or it is a place that is never replaced.
    """
    inside = f"say {shown(target)}/ to put it inside"
    if why := _precious(target):
        raise LocalFile(f"{shown(target)} is not replaced: it is {why}", hint=inside)
    try:
        stranger = first_stranger(target)
    except OSError as error:
        raise LocalFile(f"{shown(target)} is not replaced: it cannot be read: {error.strerror}") from None
    if stranger is not None:
        raise LocalFile(
            f"{shown(target)} is not replaced: it holds {shown(stranger)}, which jobctl did not write, or which was changed since",
            hint=f"{inside}, choose another name, or move that folder away",
        )
    _check_way(target)


def check_apart(places: Sequence[tuple[str, Stream | Place]]) -> None:
    """Makes sure that no output replaces one that was fetched before; `places` are flags and where they lead, in order.

    Raises:
        Misuse: two go to one place, or a later one to a folder around an earlier one.
    """
    earlier: list[tuple[str, Path]] = []
    streams: set[int] = set()
    for flag, place in places:
        if isinstance(place, Stream):
            if place.descriptor in streams:
                raise Misuse(f"{flag}: one output alone goes to stdout", field="artifacts")
            streams.add(place.descriptor)
            continue
        real = place.target.resolve()
        for before, taken in earlier:
            if not place.contents and taken.is_relative_to(real):
                raise Misuse(
                    f"{flag} would replace what {before} has fetched",
                    field="artifacts",
                    hint="let them go to different places, the outer folder first",
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
        if path.name in _INSIDE:  # what a link said
            path = path.resolve()
        try:
            status = path.lstat()
        except FileNotFoundError:
            if step:
                raise LocalFile(
                    f"a link leads to {shown(path)}, which does not exist",
                    hint="remove the link, or make the file",
                ) from None
            return Place(path)
        except OSError:
            return Place(path)  # said by `check`
        if not stat.S_ISLNK(status.st_mode):
            return Place(path)
        _check_owner(path, status)
        path = path.parent / path.readlink()
    raise LocalFile(f"{shown(path)} is a link that leads in a circle")


def _descriptor(path: Path) -> int | None:
    normal = os.path.normpath(path)
    if normal in _STANDARD:
        return _STANDARD[normal]
    if found := _DESCRIPTOR.match(normal):
        return int(found[1])
    return None


def _check_owner(link: Path, status: os.stat_result) -> None:
    """As the kernel does for links that it follows. Source: proc_sys_fs(5), "protected_symlinks"."""
    folder = link.parent.stat()
    open_to_all = folder.st_mode & _STICKY_FOR_ALL == _STICKY_FOR_ALL
    if open_to_all and status.st_uid not in (os.geteuid(), folder.st_uid):
        raise LocalFile(f"{shown(link)} is a link of another user, which is not followed")


def _check_way(target: Path) -> None:
    """The nearest folder on the way that is there must take new entries."""
    for folder in target.parents:
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LocalFile(f"{shown(target)} cannot be written: {(error.strerror or '').lower()}") from None
        if not stat.S_ISDIR(mode):
            raise LocalFile(f"{shown(target)} cannot be written: {shown(folder)} is no folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LocalFile(
                f"{shown(target)} cannot be written: {shown(folder)} is not writable for this user",
                hint="the file itself is: let the shell write to it, PATH=- > FILE"
                if os.access(target, os.W_OK)
                else None,
            )
        return


def _precious(target: Path) -> str | None:
    """What a folder is that is never replaced, however empty."""
    real = target.resolve()
    if real == Path("/"):
        return "the root of all files"
    if os.path.ismount(real):
        return "a mount point"
    home = _expanded(Path("~")).absolute().resolve()
    if home.is_relative_to(real):
        return "the home folder, or holds it"
    if Path.cwd().resolve().is_relative_to(real):
        return "the working directory, or holds it"
    return None
