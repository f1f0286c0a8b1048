"""A folder of outputs while it is made: beside its place, which it takes at the end, all at once.

Owns what may take the place of what. What is in the folder is `extract.py`'s, the renames are `replace.py`'s.
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
    """The new folder while it is filled. `root` is open; `commit` puts it in its place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stack = ExitStack()
        self._made = Path()
        self.root = -1

    def __enter__(self) -> "Staging":
        target = self._place.target
        parent = target if self._place.contents else target.parent
        if not self._place.contents:
            check_replaceable(target)
        parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._made = stack.enter_context(replace.new_folder(parent, target.name))
            self.root = os.open(self._made, FOLDER | os.O_NOFOLLOW)
            stack.callback(os.close, self.root)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def commit(self) -> None:
        """Once more with a look at what is there: it took a while."""
        target = self._place.target
        if not self._place.contents:
            check_replaceable(target)
            with suppress(FileNotFoundError):
                os.fchmod(self.root, stat.S_IMODE(target.stat().st_mode) & 0o777)
            replace.take_place(self._made, target)
            return
        entries = sorted(self._made.iterdir())
        for entry in entries:
            _check_entry(entry.is_dir(), target / entry.name)
        for entry in entries:
            replace.take_place(entry, target / entry.name)


def check_replaceable(target: Path) -> None:
    """A folder may become `target`."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        check_folder(target)
        return
    kind = "a file" if stat.S_ISREG(mode) else "a device, FIFO, socket or link"
    raise LocalFile(
        f"{shown(target)} is {kind}, and the output is a folder",
        hint="choose another name, or remove the file",
    )


def _check_entry(is_folder: bool, target: Path) -> None:
    """One of all entries of a workspace may become `target`. Its name is the job's, so that no link is followed."""
    if is_folder:
        check_replaceable(target)
        return
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise LocalFile(
            f"{shown(target)} is there and is no file, and the output is one", hint="choose another folder"
        )
