"""What keeps jobd running: a service of systemd, or a background process. Owns the choice between them.

An installed unit is used wherever there is one. Without a unit, `start` starts a background process.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from jobctl.daemon.background import Background
from jobctl.daemon.service import Service
from jobctl.daemon.status import Status
from jobctl.daemon.systemd import has_user_manager, is_booted
from jobctl.errors import Conflict


class Manager(Protocol):
    """Starts and stops jobd. The calls return what they have done, in sentences, and raise JobctlError."""

    def start(self) -> list[str]:
        """Starts jobd if it does not run, and waits until it is ready."""
        ...

    def stop(self) -> list[str]:
        """Stops jobd; jobs go on."""
        ...

    def restart(self) -> list[str]:
        """Stops and starts jobd."""
        ...

    def reload(self) -> list[str]:
        """Has jobd read its settings again."""
        ...

    def uninstall(self) -> list[str]:
        """Stops jobd, and removes what keeps it running. Its state stays."""
        ...

    def status(self) -> Status:
        """Returns the state."""
        ...

    def log_texts(self, count: int, *, follows: bool) -> Iterator[str]:
        """Yields the last `count` lines of jobd's log, with `follows` also what comes; or becomes a program that prints them."""
        ...


def installer(environ: Mapping[str, str], *, system: bool) -> Service:
    """Returns the service to install.

    Raises:
        Conflict: no systemd runs on this machine, or none for this user.
    """
    if not is_booted():
        hint = "jobctl daemon start runs jobd; with the machine, by crontab -e: @reboot jobctl daemon start"
        raise Conflict("no systemd runs on this machine, so there is nothing to install", hint=hint)
    if not system and not has_user_manager(environ):
        hint = "log in as this user (su and sudo start no systemd), or: sudo loginctl enable-linger $USER"
        raise Conflict("no systemd runs for this user", hint=hint)
    return Service("system" if system else "user", environ)


def manager_of(environ: Mapping[str, str], *, system: bool) -> Manager:
    """Returns what runs jobd. Raises Conflict: `system` on a machine without systemd."""
    if system:
        if not is_booted():
            raise Conflict(
                "--system needs systemd, which does not run on this machine", hint="jobctl daemon start"
            )
        return Service("system", environ)
    service = Service("user", environ)
    return service if has_user_manager(environ) and service.unit() is not None else Background(environ)
