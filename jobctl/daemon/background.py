"""jobd as a plain background process, without systemd: started detached, with a pid file and a log file in the state folder.

The new process writes the pid file itself, before it becomes jobd: if jobctl is killed at any moment, a jobd that runs is found by the
next call. jobd reports that it is ready as it does to systemd, over the socket in NOTIFY_SOCKET.

Source: daemon(7), "SysV Daemons"; sd_notify(3).
"""

import fcntl
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from jobctl.connection.config import state_dir
from jobctl.daemon.log_reading import reload_result, why_it_failed
from jobctl.daemon.log_tail import last_bytes, tail
from jobctl.daemon.process import PidFile, Process, identity_of, opened, start_of
from jobctl.daemon.program import jobd_program
from jobctl.daemon.status import Status
from jobctl.errors import Conflict, JobctlError, LocalFile

READY_S = 120.0
"""A start reads all jobs of the database, and may wait for the disk."""
STOP_S = 60.0
"""As TimeoutStopSec of the units: longer than SHUTDOWN_DRAIN_WAIT and what jobd does after it."""
KILL_S = 10.0
RELOAD_S = 5.0
_OF_A_SERVICE = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "CONFIGURATION_DIRECTORY",
)
"""Variables that systemd sets for one process alone."""
_LOCK_AGAIN_S = 0.1


class Background:
    """The background process of this user's state folder."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.folder = os.path.abspath(state_dir(environ))
        self.log = os.path.join(self.folder, "jobd.log")
        self._pid_file = PidFile(os.path.join(self.folder, "jobd.pid"))

    def running(self) -> Process | None:
        """Returns the process if it runs; the caller closes it."""
        return opened(self._pid_file.read())

    def start(self) -> list[str]:
        """Starts jobd if it does not run, and waits until it is ready.

        Raises:
            LocalFile, Conflict: the state folder cannot be used, or another call uses it.
            JobctlError: jobd ended, or is not ready in time.
        """
        program = jobd_program()
        with self._alone():
            if (process := self.running()) is not None:
                with process:
                    return [f"jobd runs already, in the background (pid {process.pid})"]
            folder = tempfile.mkdtemp(prefix="jobctl-")
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
                    ready.bind(os.path.join(folder, "notify"))
                    pid = self._started(program, ready)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return [f"jobd runs in the background (pid {pid})"]

    def stop(self) -> list[str]:
        """Ends jobd in order, and after `STOP_S` by force; jobs go on.

        Raises:
            JobctlError: the process does not end.
        """
        with self._alone():
            process = self.running()
            if process is not None:
                with process:
                    process.send(signal.SIGTERM)
                    if not process.wait(STOP_S):
                        process.send(signal.SIGKILL)
                        if not process.wait(KILL_S):
                            raise JobctlError(f"jobd ({process.pid}) does not end, also not on SIGKILL")
            self._pid_file.remove()
        if process is None:
            return ["jobd does not run in the background"]
        return ["jobd is stopped; jobs that run go on without it"]

    def restart(self) -> list[str]:
        """Stops and starts jobd. Raises JobctlError."""
        self.stop()
        return self.start()

    def uninstall(self) -> list[str]:
        """Stops jobd: a background process has nothing else to remove. Raises JobctlError."""
        return [*self.stop(), f"jobd's state stays in {self.folder}"]

    def status(self) -> Status:
        """Returns the state of the process."""
        process = self.running()
        if process is None:
            return Status(manager="process", running=False, state="not running", log=self.log)
        with process:
            since = start_of(process.pid)
            return Status(
                manager="process", running=True, state="running", pid=process.pid, since=since, log=self.log
            )

    def log_texts(self, count: int, *, follows: bool) -> Iterator[str]:
        """Yields the last lines of the log, and with `follows` what comes."""
        return tail(self.log, count, follows=follows)

    def reload(self) -> list[str]:
        """Has jobd read its settings again; returns what its log says of that.

        Raises:
            Conflict: jobd does not run.
            JobctlError: a setting has a fault, and jobd keeps its settings.
        """
        process = self.running()
        if process is None:
            raise Conflict("jobd does not run in the background", hint="jobctl daemon start")
        with process:
            begin = self._log_size()
            process.send(signal.SIGHUP)
            deadline = time.monotonic() + RELOAD_S
            while time.monotonic() < deadline and not process.wait(0.05):
                if (said := reload_result(last_bytes(self.log, begin))) is not None:
                    return [said]
        return ["jobd was told to read its settings again; its log does not say how that went"]

    def _started(self, program: str, ready: socket.socket) -> int:
        begin = self._log_size()
        pid = os.fork()
        if pid == 0:
            self._become(program, ready.getsockname())
        descriptor = os.pidfd_open(pid)
        with Process(pid, descriptor) as process:
            deadline = time.monotonic() + READY_S
            while (left_s := deadline - time.monotonic()) > 0:
                readable, _, _ = select.select([ready.fileno(), process.fileno()], [], [], left_s)
                if ready.fileno() in readable and "READY=1" in ready.recv(4096).decode(
                    errors="replace"
                ).split("\n"):
                    return pid
                if process.fileno() in readable:
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    self._pid_file.remove()
                    raise why_it_failed(code, last_bytes(self.log, begin), "jobctl daemon logs")
        raise JobctlError(
            f"jobd ({pid}) is not ready after {READY_S:g} s, and is left to start",
            hint="jobctl daemon logs -f",
        )

    def _become(self, program: str, notify: str) -> NoReturn:
        """Turns the forked process into jobd. Never returns."""
        try:
            os.setsid()
            os.chdir("/")
            os.umask(0o077)
            null = os.open(os.devnull, os.O_RDWR)
            log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            for number, descriptor in ((0, null), (1, log), (2, log)):
                os.dup2(descriptor, number)
            # Such as a lock of the shell script that calls jobctl.
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                if signal.getsignal(each) is signal.SIG_IGN:
                    signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            identity = identity_of(os.getpid())
            assert identity is not None
            self._pid_file.write(identity)
            environ = {k: v for k, v in self._environ.items() if k not in _OF_A_SERVICE}
            os.execve(program, [program, "--log-file", self.log], {**environ, "NOTIFY_SOCKET": notify})
        except BaseException as error:
            os.write(2, f"jobd: {program} cannot be started: {error}\n".encode())
        finally:
            os._exit(127)

    def _log_size(self) -> int:
        try:
            return os.stat(self.log).st_size
        except OSError:
            return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps another start or stop waiting. Raises LocalFile, Conflict."""
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise LocalFile(f"the state folder {self.folder} cannot be used: {error.strerror}") from None
        try:
            deadline = time.monotonic() + READY_S + STOP_S
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Conflict("another jobctl daemon starts or stops this jobd") from None
                    time.sleep(_LOCK_AGAIN_S)
            yield
        finally:
            os.close(descriptor)
