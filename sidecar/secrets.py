"""Writes a job's secrets into files in memory that only the worker's user can read.

The files are in the folder `/run/secrets`, which the worker has too, read-only; they disappear when both containers have ended. No
report or note contains a value.
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
    """Writes one file a secret, readable only by `uid`.

    Raises:
        ArtifactError: the folder does not exist or is not in memory, or a file cannot be written.
    """
    if not is_in_memory(Path(mounts).read_text(), folder):
        raise ArtifactError(f"{folder} is not in memory, and secrets must not be written to a disk")
    try:
        files = Workspace(folder, uid, gid, use_openat2=False)  # each name is a single open
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be opened: {error.strerror}") from None
    try:
        for name, value in secrets.items():
            with files.replace(name, MODE) as file:
                file.write(value.encode())
    finally:
        files.close()


def is_in_memory(mountinfo: str, folder: str) -> bool:
    """True where the last mount at `folder` is a tmpfs.

    Source: proc_pid_mountinfo(5).
    """
    kinds = [
        after.split()[0]
        for line in mountinfo.splitlines()
        for before, _, after in [line.partition(" - ")]
        if before.split()[4:5] == [folder] and after
    ]
    return kinds[-1:] == ["tmpfs"]
