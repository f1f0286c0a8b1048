"""What jobd as a service of the whole machine needs: its account, the group of the engine's socket, a program outside of home folders."""

import grp
import os
import pwd
import subprocess
import sys

from jobctl.errors import Conflict, JobctlError, NotAllowed

ACCOUNT, ENGINE_GROUP = "jobd", "docker"
STATE_FOLDER = "/var/lib/jobd"
_HIDDEN = ("/home", "/root", "/run/user")
"""ProtectHome= of the unit hides them."""
_CALL_S = 60.0


def require_root(action: str) -> None:
    """Raises NotAllowed for any other user."""
    if os.geteuid() != 0:
        own = os.path.abspath(sys.argv[0])
        raise NotAllowed(
            "only root changes the services of the machine", hint=f"sudo {own} daemon {action} --system"
        )


def require_visible(program: str) -> None:
    """Raises Conflict if the unit cannot start the program: its file, or its Python, is in a home folder."""
    for path in (os.path.realpath(program), os.path.realpath(sys.executable)):
        if path.startswith(tuple(f"{folder}/" for folder in _HIDDEN)):
            raise Conflict(
                f"the account {ACCOUNT} cannot run {path}, which is in a home folder",
                hint="install into a folder of the machine: python3 -m venv /opt/jobd && /opt/jobd/bin/pip install jobd",
            )


def ensure_account() -> bool:
    """Creates the account of jobd if it is missing; returns whether it was missing.

    Raises:
        Conflict: the group of the engine's socket is missing.
        JobctlError: the account cannot be created.
    """
    try:
        grp.getgrnam(ENGINE_GROUP)
    except KeyError:
        raise Conflict(
            f"there is no group {ENGINE_GROUP}, which the engine's socket belongs to",
            hint="install Docker Engine first",
        ) from None
    try:
        pwd.getpwnam(ACCOUNT)
        return False
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--groups", ENGINE_GROUP, "--home-dir", STATE_FOLDER]
    command += ["--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_CALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobctlError(f"the account {ACCOUNT} cannot be created: {error}") from None
    if done.returncode != 0:
        raise JobctlError(f"the account {ACCOUNT} cannot be created: {done.stderr.strip()}")
    return True
