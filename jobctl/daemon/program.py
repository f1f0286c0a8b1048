"""Where the program jobd is: beside jobctl, in the same Python environment, or on PATH."""

import os
import shutil
import sys

from jobctl.errors import NotFound


def jobd_program() -> str:
    """Returns the absolute path of jobd, by the name that stays the same over an upgrade: a link in ~/.local/bin and not its target.

    Raises:
        NotFound: there is no jobd.
    """
    invoked = os.path.dirname(os.path.abspath(sys.argv[0])) if os.sep in sys.argv[0] else ""
    for folder in (invoked, os.path.dirname(sys.executable)):
        path = os.path.join(folder, "jobd")
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    found = shutil.which("jobd")
    if found is None:
        raise NotFound(
            "the program jobd is not beside jobctl and not on PATH",
            hint="install it as jobctl was: pipx install jobd",
        )
    return os.path.abspath(found)
