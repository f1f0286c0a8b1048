"""Keeps the values of jobs' secrets from the submission until the sidecar has them: one private file for each job.

Owns these files (0600, in a folder 0700 of the state folder), and removes the values from a spec. The values are in nothing else
that jobd stores, logs, sends or shows: the stored spec has only the names. jobd stores the values before accepting a job, so that
the job can start after a restart, and removes the values when the job has ended.
"""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from jobd.durable import sync_folder
from jobd.errors import DiskFull
from jobd.wire.job import JobSpec

_decoder = msgspec.json.Decoder(dict[str, str])


def without_values(spec: JobSpec) -> JobSpec:
    """Returns the spec with the names of its secrets, and without their values."""
    return msgspec.structs.replace(spec, secrets=dict.fromkeys(spec.secrets, "")) if spec.secrets else spec


class SecretFiles:
    """The files in `folder`, which exists and is private. All calls block on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, uid: str, values: Mapping[str, str]) -> None:
        """Stores a job's values; durable when this returns.

        Raises:
            DiskFull: no part of the file is left. OSError.
        """
        path = self._path(uid)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(values))
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("the state folder's disk is full; nothing was accepted") from None
            raise

    def read(self, uid: str) -> dict[str, str] | None:
        """Returns a job's values, None if their file is missing or cannot be read."""
        try:
            return _decoder.decode(self._path(uid).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def remove(self, uid: str) -> None:
        """Removes a job's values. Safe to repeat."""
        self._path(uid).unlink(missing_ok=True)

    def remove_all_but(self, wanted: Iterable[str]) -> None:
        """Removes the values of all other jobs: a crash between a job's end and the removal leaves them behind."""
        names = {f"{uid}.json" for uid in wanted}
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"
