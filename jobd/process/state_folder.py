"""The files in jobd's state folder beside the database: the instance name, the keys, uploaded files.

Owns the paths, the permissions (0700, 0600) and the creation of each file. `private.py` checks the files' owner.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobd.errors import ConfigError
from jobd.private import (
    MAX_FILE_BYTES,
    check_private_folder,
    private_folder,
    private_subfolder,
    read_private,
    require_own_files,
)

VARIABLE = "JOBD_STATE_DIR"
MIN_KEY_LENGTH = 8
FINGERPRINT_KEY_BYTES = 32


FILES = (
    "jobd.db", "jobd.db-wal", "jobd.db-shm", "jobd.db-journal", "lock", "instance", "api-key", "fingerprint-key"
)  # fmt: skip
"""The files directly in the folder."""
_ANY_USER = 0o007


@dataclass(frozen=True, slots=True)
class StateFolder:
    """An existing, private folder."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "jobd.db"

    @property
    def spool(self) -> Path:
        """The folder of uploaded files."""
        return self.path / "spool"

    @property
    def secrets(self) -> Path:
        """The folder of secrets of jobs that have not ended."""
        return self.path / "secrets"

    @property
    def outputs(self) -> Path:
        """The folder of outputs that jobd keeps after their job's end."""
        return self.path / "outputs"

    @property
    def reserve(self) -> Path:
        """The file that reserves disk space for a full disk."""
        return self.path / "reserve"

    def spool_path(self, uid: str) -> Path:
        """The upload of one job, until the files are in its workspace."""
        return self.spool / f"{uid}.tar"


def open_state(path: Path) -> StateFolder:
    """Returns the folder; creates a missing folder.

    Raises:
        ConfigError: the folder cannot be created or written; the folder, or a file of jobd's in it, is a link or belongs to another
            user; or other users can write there.
    """
    try:
        real, descriptor = private_folder(path, VARIABLE)
        try:
            folder = StateFolder(real)
            private_subfolder(descriptor, folder.spool, VARIABLE)
            private_subfolder(descriptor, folder.secrets, VARIABLE)
            private_subfolder(descriptor, folder.outputs, VARIABLE)
            require_own_files(descriptor, real, FILES, VARIABLE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError([f"{VARIABLE}: {path}: {error.strerror}"]) from None
    return folder


def check_state(path: Path) -> None:
    """Checks what `open_state` would, and creates and changes nothing.

    Raises:
        ConfigError: as `open_state`.
    """
    folder = StateFolder(path)
    try:
        if not check_private_folder(path, VARIABLE):
            return
        for each in (folder.spool, folder.secrets, folder.outputs):
            check_private_folder(each, VARIABLE)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            require_own_files(descriptor, path, FILES, VARIABLE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError([f"{VARIABLE}: {path}: {error.strerror}"]) from None


def instance_name(folder: StateFolder) -> str:
    """Returns the name that tells this jobd's containers from another's; generated once.

    Raises:
        ConfigError: the name cannot be read or stored.
    """
    return _kept(folder.path / "instance", lambda: secrets.token_hex(6))


def api_key(folder: StateFolder, key_file: Path | None) -> str:
    """Returns the API key: from `key_file`, or from the folder, where the first start generates one.

    Raises:
        ConfigError: the file cannot be read, any user can read or change the file, or the key is invalid.
    """
    path = key_file or folder.path / "api-key"
    key = _read_named(path) if key_file else _kept(path, lambda: secrets.token_urlsafe(32))
    if len(key) < MIN_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            [
                f"API_KEY_FILE: {path} must hold one key of {MIN_KEY_LENGTH} or more printable characters without spaces"
            ]
        )
    return key


def fingerprint_key(folder: StateFolder) -> bytes:
    """Returns the key of the digests that compare submissions; generated once.

    Raises:
        ConfigError: the key cannot be read or stored, or the key is invalid.
    """
    path = folder.path / "fingerprint-key"
    text = _kept(path, lambda: secrets.token_hex(FINGERPRINT_KEY_BYTES))
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != FINGERPRINT_KEY_BYTES:
        raise ConfigError([f"{path}: the key is damaged; remove the file, and jobd generates a new key"])
    return key


def sizes(folder: StateFolder) -> tuple[int, int, list[int]]:
    """Returns, in bytes, the free space on the folder's disk and the sizes of the database and of each upload.

    Raises: OSError.
    """
    database = [folder.database, *(folder.path.glob(f"{folder.database.name}-*"))]
    return (
        shutil.disk_usage(folder.path).free,
        sum(_size(path) for path in database),
        [_size(path) for path in folder.spool.iterdir()],
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # removed after the listing


def remove_stale_uploads(folder: StateFolder, wanted: set[str]) -> int:
    """Removes the uploads of all jobs except the uids in `wanted`; returns the number of removed uploads."""
    removed = 0
    for path in folder.spool.glob("*.tar"):
        if path.stem not in wanted:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError as error:
            raise ConfigError([f"{path}: {error.strerror}"]) from None
    return _read(path)


def _read(path: Path) -> str:
    try:
        return read_private(path, VARIABLE).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {getattr(error, 'strerror', None) or error}"]) from None


def _read_named(path: Path) -> str:
    """Reads the operator's file, which may be a link and may belong to any user, like a service manager's secrets."""
    try:
        with path.open("rb") as file:
            if stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode) and mode & _ANY_USER:
                raise ConfigError([f"API_KEY_FILE: any user can read or change {path}; run: chmod o= {path}"])
            return file.read(MAX_FILE_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"API_KEY_FILE: {path}: {getattr(error, 'strerror', None) or error}"]) from None
