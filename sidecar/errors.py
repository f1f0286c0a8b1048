"""What goes wrong in the sidecar, and how the system's errors read to the owner of a job.

    Refusal            the order was cut, not understood, or cannot be carried out: nothing was done
    ArtifactError      one artifact failed; its text goes into reports and events
      Missing          the file or folder that it takes does not exist

Texts name paths as the job's spec does, never a URL's query or its user name, never a key.
"""

import errno
import os


class Refusal(Exception):
    """The order cannot be carried out; nothing was done."""


class ArtifactError(Exception):
    """One artifact failed; the text is for the owner of the job."""


class Missing(ArtifactError):
    """What the artifact takes does not exist in the workspace."""


_WORDS = {
    errno.ENOSPC: "no space left on the disk that holds the workspace",
    errno.EDQUOT: "the disk quota of the workspace is used up",
    errno.EFBIG: "the file is larger than the file system allows",
    errno.ELOOP: "is, or lies behind, a symbolic link; links are not followed",
    errno.EXDEV: "leads out of the workspace",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EISDIR: "is a directory",
    errno.ENOTEMPTY: "is a directory that is not empty",
    errno.EEXIST: "exists already",
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
    """Returns the error in the words of the job's owner; `path` is relative to the workspace, as `entry.shown` gives it."""
    if error.errno == errno.ENOENT:
        return Missing(f"{path}: does not exist in the workspace")
    code = error.errno or 0
    return ArtifactError(f"{path}: {_WORDS.get(code) or os.strerror(code)}")
