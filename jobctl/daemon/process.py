"""A process that outlives the command that has started it, known by its pid, its start time and the machine's boot.

A pid alone may belong to another process by now. Signals go through a descriptor of the process (pidfd), which never refers to another one.

Source: proc(5), "/proc/pid/stat"; pidfd_open(2).
"""

import os
import select
import signal
from types import TracebackType

from jobctl.value import Value

_START_TIME = 19
"""The index of field 22, the start time, among the fields after the program's name."""
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Identity(Value):
    """One process of all that ever had its pid. `started`: clock ticks since the boot `boot`."""

    pid: int
    started: int
    boot: str


def identity_of(pid: int) -> Identity | None:
    """Returns the identity of a process that runs now, None if there is none, or if it has ended and its parent has not noticed yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(_BOOT_ID) as file:
            boot = file.read().strip()
        return None if fields[0] in (b"Z", b"X") else Identity(pid, int(fields[_START_TIME]), boot)
    except (OSError, IndexError, ValueError):
        return None


def start_of(pid: int) -> float | None:
    """Returns when a process started, in seconds since 1970; None if it does not run."""
    identity = identity_of(pid)
    if identity is None:
        return None
    try:
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
    except (OSError, StopIteration, ValueError):
        return None
    return booted + identity.started / os.sysconf("SC_CLK_TCK")


class PidFile:
    """The file with the identity of a background process."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, identity: Identity) -> None:
        """Replaces the file at once. Raises OSError."""
        temporary = f"{self.path}.{os.getpid()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{identity.pid}\n{identity.started}\n{identity.boot}\n")
        os.replace(temporary, self.path)

    def read(self) -> Identity | None:
        """Returns the identity in the file; None where there is no file, or none that `write` has written."""
        try:
            with open(self.path) as file:
                pid, started, boot = file.read(256).split()
            return Identity(int(pid), int(started), boot)
        except (OSError, ValueError):
            return None

    def remove(self) -> None:
        """Removes the file, if it exists."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass


class Process:
    """A running process. A context manager that closes the descriptor."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Returns the descriptor, which can be read once the process has ended."""
        return self._descriptor

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process still runs."""
        try:
            signal.pidfd_send_signal(self._descriptor, number)
        except ProcessLookupError:
            pass

    def wait(self, timeout_s: float) -> bool:
        """Returns whether the process ends within this time."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))


def opened(identity: Identity | None) -> Process | None:
    """Returns the process with this identity, None if it does not run any more."""
    if identity is None:
        return None
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return None
    # The process that the identity was noted of lived then: if it lives now, the descriptor is of no other.
    if identity_of(identity.pid) != identity:
        os.close(descriptor)
        return None
    return Process(identity.pid, descriptor)
