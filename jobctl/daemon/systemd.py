"""systemd, as `systemctl` and `journalctl` show it. Owns the calls of both programs, each with a time limit.

Source: systemctl(1), journalctl(1), sd_booted(3).
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import NoReturn

from jobctl.daemon.log_reading import why_it_failed
from jobctl.daemon.units import NAMES, SERVICE
from jobctl.errors import JobctlError, NotAllowed
from jobctl.value import Value

CALL_S = 150.0
"""Longer than TimeoutStopSec and TimeoutStartSec of the units."""
_BOOTED = "/run/systemd/system"
_REASON_LINES = 30
_LOG_READS = 10
_LOG_READ_AGAIN_S = 0.1


class UnitState(Value):
    """What systemd says of the service. `pid`: 0 where no process runs; `invocation`: the id of its last start."""

    active: str
    sub: str
    pid: int
    enabled: bool
    invocation: str


def is_booted() -> bool:
    """Returns whether systemd is this machine's init."""
    return os.path.isdir(_BOOTED) and shutil.which("systemctl") is not None


def has_user_manager(environ: Mapping[str, str]) -> bool:
    """Returns whether a systemd runs for this user: from a login, or by lingering."""
    return is_booted() and os.path.exists(os.path.join(runtime_dir(environ), "systemd", "private"))


def runtime_dir(environ: Mapping[str, str]) -> str:
    """Returns the user's runtime folder, also where cron, sudo or su have not set XDG_RUNTIME_DIR."""
    return environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def lingers(user: str) -> bool:
    """Returns whether the user's systemd starts with the machine and goes on after a logout."""
    return os.path.exists(f"/var/lib/systemd/linger/{user}")


class Systemd:
    """The manager of one kind of units: `user` or `system`."""

    def __init__(self, kind: str, environ: Mapping[str, str]) -> None:
        self.kind = kind
        self._environ = {**environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        if kind == "user":
            self._environ.setdefault("XDG_RUNTIME_DIR", runtime_dir(environ))
        self._scope = ["--user"] if kind == "user" else []

    def state(self) -> UnitState:
        """Returns the state of the service. Raises JobctlError."""
        names = ("ActiveState", "SubState", "MainPID", "UnitFileState", "InvocationID")
        shown = self._call("show", SERVICE, *(f"--property={name}" for name in names))
        found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return UnitState(
            active=found.get("ActiveState", "unknown"),
            sub=found.get("SubState", ""),
            pid=int(found.get("MainPID") or 0),
            enabled=found.get("UnitFileState", "") in ("enabled", "enabled-runtime", "static", "linked"),
            invocation=found.get("InvocationID", ""),
        )

    def read_units(self) -> None:
        """Has systemd read the unit files again. Raises JobctlError."""
        self._call("daemon-reload")

    def enable(self) -> None:
        """Has systemd start the units with the machine, or with the user's login. Raises JobctlError."""
        self._call("enable", *NAMES)

    def disable(self) -> None:
        """Ends what `enable` has set. Raises JobctlError."""
        self._call("disable", *NAMES)

    def forget_failure(self) -> None:
        """Has systemd forget that the units failed, which else stay listed."""
        try:
            self._call("reset-failed", *NAMES)
        except JobctlError:
            pass  # they did not fail

    def start(self) -> None:
        """Starts the service and waits until it is ready.

        Raises:
            JobctlError: the service did not start; says why.
        """
        self._change("start", *NAMES)

    def restart(self) -> None:
        """Stops and starts the service. Raises JobctlError."""
        self._change("restart", SERVICE)

    def stop(self) -> None:
        """Stops the socket, which would start the service anew, and the service. Raises JobctlError."""
        self._call("stop", *reversed(NAMES))

    def reload(self) -> None:
        """Has jobd read its settings again, if they have no fault. Raises JobctlError."""
        self._change("reload", SERVICE)

    def show_logs(self, lines: int, *, follows: bool) -> NoReturn:
        """Becomes journalctl, which prints the log of the service. Raises JobctlError."""
        arguments = [
            "--unit",
            SERVICE,
            f"--lines={lines}",
            "--output=cat",
            *(["--follow"] if follows else []),
        ]
        command = ["journalctl", *self._scope, *arguments]
        try:
            os.execvpe(command[0], command, self._environ)
        except OSError as error:
            raise JobctlError(f"journalctl cannot be started: {error.strerror}") from None

    def _change(self, *arguments: str) -> None:
        """Calls systemctl. Raises JobctlError with what jobd has said since the call."""
        before = self.state().invocation
        try:
            self._call(*arguments)
        except NotAllowed:
            raise
        except JobctlError as error:
            invocation = self.state().invocation
            said = (
                self._log_of(invocation)
                if invocation and (invocation != before or arguments[0] == "reload")
                else ""
            )
            raise why_it_failed(None, said or error.message, self._read_more()) from None

    def _read_more(self) -> str:
        return "jobctl daemon logs" + (" --system" if self.kind == "system" else "")

    def _log_of(self, invocation: str) -> str:
        command = ["journalctl", *self._scope, f"_SYSTEMD_INVOCATION_ID={invocation}"]
        command += [f"--lines={_REASON_LINES}", "--output=cat", "--no-pager"]
        for _ in range(_LOG_READS):  # the journal has a line a moment after its process has written it
            try:
                done = subprocess.run(
                    command,
                    env=self._environ,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=CALL_S,
                )
            except (OSError, subprocess.TimeoutExpired):
                return ""
            if done.returncode == 0 and done.stdout.strip(" -\n") not in ("", "No entries"):
                return done.stdout
            time.sleep(_LOG_READ_AGAIN_S)
        return ""

    def _call(self, *arguments: str) -> str:
        """Returns what systemctl prints. Raises JobctlError."""
        command = ["systemctl", *self._scope, "--no-ask-password", *arguments]
        try:
            done = subprocess.run(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=CALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise JobctlError(f"systemctl {arguments[0]} did not end within {CALL_S:g} s") from None
        except OSError as error:
            raise JobctlError(f"systemctl cannot be started: {error.strerror}") from None
        if done.returncode == 0:
            return done.stdout
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        message = lines[0] if lines else f"exit code {done.returncode}"
        if "authentication required" in message.lower() or "access denied" in message.lower():
            raise NotAllowed(
                f"this user may not {arguments[0]} a unit of the system", hint="call jobctl by sudo"
            )
        raise JobctlError(f"systemctl {arguments[0]}: {message}")
