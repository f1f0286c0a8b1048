"""The errors of the sidecar, and the texts for the system's errors.

    Refusal            the order is invalid or cannot be carried out; the sidecar has done nothing
    ArtifactError      one artifact failed; reports and events contain its text
      Missing          the artifact's source does not exist

Texts name paths in the form of the job's spec. They never contain keys, or the query or user name of a URL.
"""

import errno
import os


class Refusal(Exception):
    """The order is invalid or cannot be carried out; the sidecar has done nothing."""


class ArtifactError(Exception):
    """One artifact failed; the text is for the owner of the job."""


class Missing(ArtifactError):
    """The artifact's source does not exist in the workspace."""


_WORDS = {
    errno.ENOSPC: "no space left on the disk that holds the workspace",
    errno.EDQUOT: "the disk quota of the workspace is used up",
    errno.EFBIG: "the file is larger than the file system allows",
    errno.ELOOP: "is a symbolic link, or is reached through one; the sidecar does not follow links",
    errno.EXDEV: "leads out of the workspace",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EISDIR: "is a directory",
    errno.ENOTEMPTY: "is a directory that is not empty",
    errno.EEXIST: "already exists",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENAMETOOLONG: "a name in the path is too long",
    errno.EROFS: "the file system is read-only",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files on this machine",
    errno.ENXIO: "is a device or socket, not a regular file",
    errno.EIO: "the disk reported an error",
}


def artifact_error(error: OSError, path: str) -> ArtifactError:
    """Returns the error for the job's owner; `path`: relative to the workspace, in the form of `entry.shown`."""
    if error.errno == errno.ENOENT:
        return Missing(f"{path}: does not exist in the workspace")
    code = error.errno or 0
    return ArtifactError(f"{path}: {_WORDS.get(code) or os.strerror(code)}")
