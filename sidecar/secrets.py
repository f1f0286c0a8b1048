"""A job's secrets, from its order into files that the worker's user alone can read, in memory.

Owns the folder `/run/secrets`, which the worker has as well, read-only. What is in it is gone when both have ended. Nothing is
said of a value anywhere; no report carries one.
"""

from collections.abc import Mapping
from pathlib import Path

from sidecar.errors import ArtifactError
from sidecar.workspace.paths import Workspace

FOLDER = "/run/secrets"
MODE = 0o400


def place(
    secrets: Mapping[str, str], uid: int, gid: int, folder: str = FOLDER, mounts: str = "/proc/self/mountinfo"
) -> None:
    """Writes one file a secret, readable by `uid` alone.

    Raises:
        ArtifactError: the folder is missing or is not in memory, or a file cannot be written.
    """
    if not is_in_memory(Path(mounts).read_text(), folder):
        raise ArtifactError(f"{folder} is not in memory: no secret is written to a disk")
    try:
        files = Workspace(folder, uid, gid)
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be opened: {error.strerror}") from None
    try:
        for name, value in secrets.items():
            with files.replace(name, MODE) as file:
                file.write(value.encode())
    finally:
        files.close()


def is_in_memory(mountinfo: str, folder: str) -> bool:
    """True where `folder` is the root of a tmpfs, the last one that is mounted there.

    Source: proc_pid_mountinfo(5).
    """
    kinds = [
        after.split()[0]
        for line in mountinfo.splitlines()
        for before, _, after in [line.partition(" - ")]
        if before.split()[4:5] == [folder] and after
    ]
    return kinds[-1:] == ["tmpfs"]
