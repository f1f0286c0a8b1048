"""Starts jobd and jobctl by prefork servers, or by `python -m` where a forked process would not be the same."""

import atexit
import contextlib
import functools
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

DEADLINE_S = 60.0
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OPENSSL_", "SSL_", "TYPER_")
"""Prefixes of variables that an interpreter or a library reads once. Programs for which these differ have another server."""
IMPORTED = {
    "jobd": ("jobd.process.serve", "jobd.docker.orchestrator"),
    "jobctl": ("jobctl.main", "jobctl.connection.client", "jobctl.output.table"),
}
"""What a server imports. Not `__main__`: each child runs this module itself."""


class Ended(Exception):
    """The server has ended, so nothing more is known of its children."""


class ForkedProcess:
    """A child of a prefork server, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, args: Sequence[str], report: int) -> None:
        self.args = args
        self.returncode: int | None = None
        self._report = report
        self._read = b""
        self.pid = self._number(DEADLINE_S)

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._number(timeout)
            os.close(self._report)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # the program has ended, and its code is on the way
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _number(self, timeout_s: float | None) -> int:
        """Reads the next line of the report pipe."""
        ready = select.poll()
        ready.register(self._report, select.POLLIN)
        while b"\n" not in self._read:
            if not ready.poll(None if timeout_s is None else timeout_s * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout_s or 0)
            chunk = os.read(self._report, 64)
            if not chunk:
                raise Ended(f"the prefork server has ended before {' '.join(self.args)}")
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return int(line)


Program = ForkedProcess | subprocess.Popen[bytes]


class Server:
    """A prefork server of this test process."""

    def __init__(self, imported: Sequence[str], environ: Mapping[str, str]) -> None:
        self._control, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.prefork.server", str(end.fileno()), *imported],
                pass_fds=[end.fileno()],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        streams: tuple[int, int, int],
    ) -> ForkedProcess:
        """Starts a module with these descriptors as its stdin, stdout and stderr."""
        request = {
            "module": module,
            "arguments": list(arguments),
            "environ": dict(environ),
            "folder": str(folder.absolute()),
            "umask": own_umask(),
            "limits": own_limits(),
        }
        report, end = os.pipe()
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], [end, *streams])
        finally:
            os.close(end)
        return ForkedProcess([module, *arguments], report)

    def close(self) -> None:
        """Ends the server. Its children go on."""
        self._control.close()
        self._process.wait(DEADLINE_S)


@functools.cache
def server(imported: Sequence[str], variables: frozenset[tuple[str, str]]) -> Server:
    """Returns this test process's server of programs with these modules and these values of READ_AT_START."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(READ_AT_START)}
    made = Server(imported, {**others, **dict(variables)})
    atexit.register(made.close)
    return made


@functools.cache
def can_fork() -> bool:
    """True if the kernel shows the end of a process by a descriptor."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _server_of(module: str, environ: Mapping[str, str]) -> Server:
    variables = frozenset(item for item in environ.items() if item[0].startswith(READ_AT_START))
    return server(IMPORTED["jobctl" if module == "jobctl" else "jobd"], variables)


def start(
    module: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    output: IO[bytes],
    *,
    within: Sequence[str] = (),
    is_executed: bool = False,
) -> Program:
    """Starts a module of jobd: by `python -m` if `is_executed`, or if a command `within` executes Python, such as one that sets a limit."""
    if within or is_executed or not can_fork():
        command = [*within, sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=dict(environ), stdout=output, stderr=output)
    with Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), output.fileno(), output.fileno())
        return _server_of(module, environ).start(module, arguments, environ, Path.cwd(), streams)


def run(
    module: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    folder: Path | None = None,
    stdin: bytes = b"",
    timeout_s: float = DEADLINE_S,
) -> "subprocess.CompletedProcess[bytes]":
    """Runs a module to its end, as `subprocess.run` does."""
    if not can_fork():
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            command, env=dict(environ), cwd=folder, input=stdin, capture_output=True, timeout=timeout_s
        )
    pipes = [os.pipe() for _ in range(3)]
    ours = [os.fdopen(pipes[0][1], "wb"), os.fdopen(pipes[1][0], "rb"), os.fdopen(pipes[2][0], "rb")]
    theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
    try:
        program = _server_of(module, environ).start(module, arguments, environ, folder or Path.cwd(), theirs)
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    read = [b"", b""]

    def write() -> None:
        try:
            with ours[0]:
                ours[0].write(stdin)
        except BrokenPipeError:
            pass  # the program does not read its stdin

    def collect(number: int) -> None:
        with ours[number + 1] as stream:
            read[number] = stream.read()

    work = [threading.Thread(target=write), *(threading.Thread(target=collect, args=[n]) for n in range(2))]
    for thread in work:
        thread.start()
    try:
        code = program.wait(timeout_s)
    finally:
        program.kill()
        for thread in work:
            thread.join(DEADLINE_S)
    return subprocess.CompletedProcess(program.args, code, *read)


def own_limits() -> dict[int, tuple[int, int]]:
    """Returns this process's resource limits, which a test may have lowered for a program, by their numbers."""
    numbers = {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    return {number: resource.getrlimit(number) for number in sorted(numbers)}


def own_umask() -> int:
    """Returns the umask without setting it, as other threads create files."""
    found = re.search(r"^Umask:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1], 8)
