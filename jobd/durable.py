"""Makes a new directory entry survive a loss of power: fsync of the file itself does not.

Source: fsync(2), "Calling fsync() does not necessarily ensure that the entry in the directory ... has also reached disk".
"""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Returns once the entries of `folder` are on the disk. Blocks. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
