"""A process that has imported a program's modules and forks the program for each request: jobd starts in a tenth of the time.

    python -m tests.support.prefork.server FD MODULE...

FD is the server's end of a socket pair. Each message asks for one program: its module, arguments, environment, folder, umask and limits as
JSON, and the descriptors of a report pipe and of its stdin, stdout and stderr. The child then does what `python -m MODULE` does. The server
writes the child's process id into the report pipe, and the exit code when the child has ended. The server ends when the socket pair is closed.
"""

import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

REQUEST_BYTES = 1 << 20
DESCRIPTORS = 4


@dataclass(frozen=True)
class Request:
    """One program to run, with its stdin, stdout and stderr."""

    fields: dict[str, Any]
    streams: list[int]


def serve(control: socket.socket) -> Request:
    """Forks a child for each request. Returns in the children only."""
    ready = select.poll()
    ready.register(control, select.POLLIN)
    children: dict[int, tuple[int, int]] = {}
    while True:
        for descriptor, _ in ready.poll():
            if descriptor in children:
                ready.unregister(descriptor)
                os.close(descriptor)
                _report_end(*children.pop(descriptor))
                continue
            message, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, DESCRIPTORS)
            if not message:
                os._exit(0)
            assert threading.active_count() == 1, "only the forking thread goes on in a child"
            report, *streams = descriptors
            pid = os.fork()
            if pid == 0:
                control.detach()
                return Request(json.loads(message), streams)
            for stream in streams:
                os.close(stream)
            _write(report, pid)
            pidfd = os.pidfd_open(pid)
            children[pidfd] = (pid, report)
            ready.register(pidfd, select.POLLIN)


def _report_end(pid: int, report: int) -> None:
    _, status = os.waitpid(pid, 0)
    _write(report, os.waitstatus_to_exitcode(status))
    os.close(report)


def _write(report: int, number: int) -> None:
    try:
        os.write(report, b"%d\n" % number)
    except BrokenPipeError:
        pass  # the test has dropped this program


def become(request: Request) -> None:
    """Gives this process the streams, signals and environment of a program that has just been started."""
    for target, descriptor in enumerate(request.streams):
        os.dup2(descriptor, target)
    os.closerange(3, 1024)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request.fields["environ"])
    time.tzset()
    os.umask(request.fields["umask"])
    for number, (soft, hard) in request.fields["limits"].items():
        if resource.getrlimit(int(number)) != (soft, hard):
            resource.setrlimit(int(number), (soft, hard))
    os.chdir(request.fields["folder"])
    sys.argv = [request.fields["module"], *request.fields["arguments"]]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    become(request)
    runpy.run_module(request.fields["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
