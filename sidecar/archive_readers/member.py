"""A member of an archive, and the rules for its name and link. Pure.

A name or link that breaks a rule fails the whole archive: nothing is repaired or skipped.

The target of a symbolic link must be relative: any number of `..`, as long as they stay below the root of the extraction, then names
without `..`. Links are created last, when all directories are real ones, so no chain of links leads out. A hard link must name a regular
file that the same archive has already extracted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jobd.wire.files.paths import Parts, link_flaw, path_flaw, path_parts
from sidecar.entry import shown
from sidecar.errors import ArtifactError

Kind = Literal["file", "directory", "symlink", "hardlink"]


class BadArchive(ArtifactError):
    """The archive is damaged or hostile, or uses an unsupported feature."""


@dataclass(frozen=True, slots=True)
class Member:
    """`size`: in bytes, of files. `link`: the target of a link. `mtime_s`: None where the archive has no time in UTC."""

    name: str
    kind: Kind
    size: int = 0
    mode: int = 0o644
    link: str = ""
    mtime_s: int | None = None


_PATH_FLAWS = {
    "absolute": "has an absolute path",
    "nul": "has a NUL in its name",
    "parent": "has '..' in its path",
}
_LINK_FLAWS = {
    "unusable": "has no usable target",
    "absolute": "leads to an absolute path",
    "out": "leads out of the archive",
    "parent": "has '..' after a name in its target",
}
Content = Iterator[bytes]
Members = Iterator[tuple[Member, Content]]
"""Each member with its content, which can be read only before the next member."""


def name_parts(name: str) -> Parts:
    """Returns the parts of a member's path; () for the archive's root.

    Raises:
        BadArchive: the path is absolute or empty, or contains `..` or a NUL.
    """
    called = f"'{shown(name, 200)}'"
    if not name:
        raise BadArchive("the archive has a member without a name")
    if flaw := path_flaw(name):
        raise BadArchive(f"the archive's member {called} {_PATH_FLAWS[flaw]}")
    return path_parts(name)


def check_symlink(place: Parts, target: str) -> None:
    """Checks the target of a symbolic link at `place` below the root of the extraction.

    Raises:
        BadArchive: the link may lead out.
    """
    if flaw := link_flaw(place, target):
        raise BadArchive(f"the archive's link '{shown('/'.join(place), 200)}' {_LINK_FLAWS[flaw]}")


class Contents:
    """Finds the folder `subdir` of an archive in a first pass."""

    def __init__(self, subdir: Parts) -> None:
        self._subdir = subdir
        self._tops: set[str] = set()
        self._has_file_on_top = False
        self._plain = False
        self._stripped = False

    def add(self, parts: Parts, kind: Kind) -> None:
        """Adds one member."""
        if not parts:
            return
        if len(parts) == 1 and kind != "directory":
            self._has_file_on_top = True
        elif len(self._tops) < 2:
            self._tops.add(parts[0])
        self._plain = self._plain or _is_in(parts, kind, self._subdir)
        self._stripped = self._stripped or _is_in(parts[1:], kind, self._subdir)

    def folder(self) -> Parts:
        """Returns `subdir` in the archive: below a single root folder where the archive has one that contains it, else at the root.

        Raises:
            BadArchive: the archive has no such folder.
        """
        if len(self._tops) == 1 and not self._has_file_on_top and self._stripped:
            return (*self._tops, *self._subdir)
        if self._plain:
            return self._subdir
        raise BadArchive(f"the archive has no folder '{shown('/'.join(self._subdir))}'")


def _is_in(parts: Parts, kind: Kind, folder: Parts) -> bool:
    return parts[: len(folder)] == folder and (len(parts) > len(folder) or kind == "directory")
