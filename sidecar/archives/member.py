"""One member of an archive, as the archive states it, and the rules on what it may be called and where its link may lead.

Pure. Formats are read in `tar.py` and `zip.py`; what is extracted is decided here and done in `artifacts/unarchive.py`. Nothing is
repaired and nothing is skipped silently: a name or link that breaks a rule fails the whole archive.

Links: a symbolic link must be relative; its target is first any number of `..`, no more than lead to the root of the extraction, then
names without `..`. As links are made last and directories are real directories by then, no chain of such links leads out. A hard link
must name a regular file that the same archive has already put in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jobd.wire.paths import Parts, link_flaw, path_flaw, path_parts
from sidecar.entry import shown
from sidecar.errors import ArtifactError

Kind = Literal["file", "directory", "symlink", "hardlink"]


class BadArchive(ArtifactError):
    """The archive is damaged, hostile, or uses what is not supported."""


@dataclass(frozen=True, slots=True)
class Member:
    """`size` in bytes, for files. `link`: the target of a link. `mtime_s` is None where the archive does not say it in UTC."""

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
"""Each member with its content, which must be read, if at all, before the next member is asked for."""


def name_parts(name: str) -> Parts:
    """Returns the names in a member's path; the archive's root is the empty tuple.

    Raises:
        BadArchive: the path is absolute, empty, or holds `..` or a NUL.
    """
    called = f"'{shown(name, 200)}'"
    if not name:
        raise BadArchive("the archive has a member without a name")
    if flaw := path_flaw(name):
        raise BadArchive(f"the archive's member {called} {_PATH_FLAWS[flaw]}")
    return path_parts(name)


def check_symlink(place: Parts, target: str) -> None:
    """Accepts the target of a symbolic link that is to stand at `place` below the root of the extraction.

    Raises:
        BadArchive: the link may lead out.
    """
    if flaw := link_flaw(place, target):
        raise BadArchive(f"the archive's link '{shown('/'.join(place), 200)}' {_LINK_FLAWS[flaw]}")


class Contents:
    """What a first pass over an archive finds out about the folder that `subdir` asks for."""

    def __init__(self, wanted: Parts) -> None:
        self._wanted = wanted
        self._tops: set[str] = set()
        self._has_file_on_top = False
        self._plain = False
        self._stripped = False

    def saw(self, parts: Parts, kind: Kind) -> None:
        """Takes note of one member."""
        if not parts:
            return
        if len(parts) == 1 and kind != "directory":
            self._has_file_on_top = True
        elif len(self._tops) < 2:
            self._tops.add(parts[0])
        self._plain = self._plain or _is_in(parts, kind, self._wanted)
        self._stripped = self._stripped or _is_in(parts[1:], kind, self._wanted)

    def folder(self) -> Parts:
        """Returns the folder to take: below the single root folder where there is one and it is there, else at the archive's root.

        Raises:
            BadArchive: the archive has no such folder.
        """
        if len(self._tops) == 1 and not self._has_file_on_top and self._stripped:
            return (*self._tops, *self._wanted)
        if self._plain:
            return self._wanted
        raise BadArchive(f"the archive has no folder '{shown('/'.join(self._wanted))}'")


def _is_in(parts: Parts, kind: Kind, folder: Parts) -> bool:
    return parts[: len(folder)] == folder and (len(parts) > len(folder) or kind == "directory")
