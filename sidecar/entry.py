"""Paths, directory entries and kinds of files in a workspace. Pure; opens nothing.

A native path is the system's, in which Python keeps invalid bytes as surrogates. `native` converts a path of a job's spec to that form,
`shown` converts it back for texts.
"""

import os
import stat

import msgspec

from jobd.wire.files.filenames import escape, readable, unescape
from jobd.wire.files.paths import Parts, path_flaw, path_parts
from sidecar.errors import ArtifactError

READY_FILE = ".ready"
"""The sidecar creates this file in the workspace after the inputs; lists and archives leave it out."""
_LONGEST_PATH = 4096


def native(text: str) -> str:
    """Returns the native path for a path of a job's spec.

    Raises:
        ArtifactError: the text contains an unpaired surrogate, which no path has.
    """
    try:
        return os.fsdecode(unescape(text))
    except UnicodeEncodeError:
        raise ArtifactError(f"{readable(text[:200])}: is not a valid path") from None


def shown(path: str, longest: int | None = None) -> str:
    """Returns a native path, or its first `longest` characters, in the form of a spec."""
    return escape(os.fsencode(path[:longest]))


def parts_of(path: str) -> Parts:
    """Returns the parts of a relative path; () for the workspace itself.

    Raises:
        ArtifactError: the path is absolute, contains `..` or a NUL, or is too long.
    """
    flaw = path_flaw(path)
    if flaw == "absolute":
        raise ArtifactError(f"{shown(path, 200)}: must be relative to the workspace")
    if flaw == "nul" or len(path) > _LONGEST_PATH:
        raise ArtifactError(f"'{shown(path, 200)}': is not a valid path")
    if flaw == "parent":
        raise ArtifactError(f"{shown(path, 200)}: must stay inside the workspace, '..' is not allowed")
    return path_parts(path)


class Entry(msgspec.Struct, frozen=True):
    """One entry of a directory. Links are not followed."""

    name: str
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """True for a directory, False for a link to one."""
        return stat.S_ISDIR(self.status.st_mode)


def kind_of(mode: int) -> str:
    """Returns the kind of file of a mode, as a noun."""
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
