"""Starts jobd by the prefork server where a forked process is the same as one of `python -m`, and else by `python -m`."""

import atexit
import functools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

DEADLINE_S = 60.0
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OPENSSL_", "SSL_")
"""Prefixes of variables that an interpreter or a library reads once, before the server forks."""


class Ended(Exception):
    """The server has ended, so nothing more is known of its children."""


class ForkedProcess:
    """A child of the prefork server, with the methods of `subprocess.Popen` that tests use."""

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
    """The prefork server of this test process."""

    def __init__(self) -> None:
        self.read_at_start = read_at_start(os.environ)
        self._control, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.prefork.server", str(end.fileno())],
                pass_fds=[end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(
        self, module: str, arguments: Sequence[str], environ: Mapping[str, str], output: IO[bytes]
    ) -> ForkedProcess:
        """Starts a module with the current folder and umask; its stdin is empty."""
        request = {
            "module": module,
            "arguments": list(arguments),
            "environ": dict(environ),
            "folder": str(Path.cwd()),
            "umask": own_umask(),
        }
        report, end = os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY)
        try:
            descriptors = [end, stdin, output.fileno(), output.fileno()]
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        finally:
            os.close(end)
            os.close(stdin)
        return ForkedProcess([module, *arguments], report)

    def close(self) -> None:
        """Ends the server. Its children go on."""
        self._control.close()
        self._process.wait(DEADLINE_S)


@functools.cache
def server() -> Server | None:
    """Returns the server of this test process, or None where the kernel cannot tell the end of a child by a descriptor."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return None
    made = Server()
    atexit.register(made.close)
    return made


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
    forks = None if within or is_executed else server()
    if forks is not None and read_at_start(environ) == forks.read_at_start:
        return forks.start(module, arguments, environ, output)
    command = [*within, sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, env=dict(environ), stdout=output, stderr=output)


def read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(READ_AT_START)}


def own_umask() -> int:
    """Returns the umask without setting it, as other threads create files."""
    found = re.search(r"^Umask:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1], 8)
