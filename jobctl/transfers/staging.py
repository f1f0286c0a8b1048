"""A folder of outputs that is filled beside its destination and put in place as a whole.

Owns the rules for replacing folders. `extract.py` fills the folder, `replace.py` renames it.
"""

import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from jobctl.errors import LocalFile
from jobctl.transfers import replace
from jobctl.transfers.destination import Place, check_folder, shown
from jobctl.transfers.replace import FOLDER


class Staging:
    """The new folder. `root`: its open descriptor; `commit` puts it in place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stack = ExitStack()
        self._folder = Path()
        self.root = -1

    def __enter__(self) -> "Staging":
        target = self._place.target
        parent = target if self._place.contents else target.parent
        if not self._place.contents:
            check_replaceable(target)
        parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._folder = stack.enter_context(replace.new_folder(parent, target.name))
            self.root = os.open(self._folder, FOLDER | os.O_NOFOLLOW)
            stack.callback(os.close, self.root)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def commit(self) -> None:
        """Checks the destination again, since time has passed, and puts the folder in place."""
        target = self._place.target
        if not self._place.contents:
            check_replaceable(target)
            with suppress(FileNotFoundError):
                os.fchmod(self.root, stat.S_IMODE(target.stat().st_mode) & 0o777)
            replace.put_in_place(self._folder, target)
            return
        entries = sorted(self._folder.iterdir())
        for entry in entries:
            _check_entry(entry.is_dir(), target / entry.name)
        for entry in entries:
            replace.put_in_place(entry, target / entry.name)


def check_replaceable(target: Path) -> None:
    """Checks that a folder may replace `target`."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        check_folder(target)
        return
    kind = "a file" if stat.S_ISREG(mode) else "a device, FIFO, socket or link"
    raise LocalFile(
        f"{shown(target)} is {kind}, but the output is a folder",
        hint="choose another name, or remove the file",
    )


def _check_entry(is_folder: bool, target: Path) -> None:
    """Checks that an entry of the workspace may replace `target`. Follows no link, since the job chose the name."""
    if is_folder:
        check_replaceable(target)
        return
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise LocalFile(
            f"{shown(target)} is not a file, but the output is a file", hint="choose another folder"
        )
