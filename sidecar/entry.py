"""What stands in a workspace: paths taken apart, names in a directory, kinds of files in words.

Owns both ways between a path as the system has it, a text in which Python keeps stray bytes as surrogates, and as people and JSON have it:
`native` for what a job's spec says, `shown` for whatever goes into a text. Pure; opens nothing.
"""

import os
import stat
from dataclasses import dataclass

from jobd.wire.filenames import escape, readable, unescape
from jobd.wire.paths import Parts, path_flaw, path_parts
from sidecar.errors import ArtifactError

READY_FILE = ".ready"
"""Made in the workspace once the inputs are in place; not part of any list or archive."""
_LONGEST_PATH = 4096


def native(text: str) -> str:
    """Returns the system's path of a path in a job's spec.

    Raises:
        ArtifactError: the text holds an unpaired surrogate, which no path has.
    """
    try:
        return os.fsdecode(unescape(text))
    except UnicodeEncodeError:
        raise ArtifactError(f"{readable(text[:200])}: is no usable path") from None


def shown(path: str, longest: int | None = None) -> str:
    """Returns the text of a system's path, or of its first `longest` characters, as a spec would name it."""
    return escape(os.fsencode(path[:longest]))


def parts_of(path: str) -> Parts:
    """Returns the names in a relative path; the workspace itself is the empty tuple.

    Raises:
        ArtifactError: the path is absolute, holds `..` or a NUL, or is too long.
    """
    flaw = path_flaw(path)
    if flaw == "absolute":
        raise ArtifactError(f"{shown(path, 200)}: must be relative to the workspace")
    if flaw == "nul" or len(path) > _LONGEST_PATH:
        raise ArtifactError(f"'{shown(path, 200)}': is no usable path")
    if flaw == "parent":
        raise ArtifactError(f"{shown(path, 200)}: must stay inside the workspace, '..' is not allowed")
    return path_parts(path)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory, as it stands there: a link is a link."""

    name: str
    facts: os.stat_result

    @property
    def is_directory(self) -> bool:
        """True for a directory, not for a link to one."""
        return stat.S_ISDIR(self.facts.st_mode)


def kind_of(mode: int) -> str:
    """Returns what a file mode stands for, in words."""
    for test, words in (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return words
    return "a regular file"
