"""jobctl in pipes: started with bytes for its input, or with an open input."""

import subprocess
import sys
from typing import Any

from tests.support.daemon import DEADLINE_S, Daemon


def command_of(daemon: Daemon, *arguments: str, http: bool = False) -> list[str]:
    host = daemon.http if http else f"unix://{daemon.socket}"
    return [sys.executable, "-m", "jobctl", "--host", host, *arguments]


def run(daemon: Daemon, *arguments: str, text: bytes = b"", http: bool = False) -> Any:
    return subprocess.run(
        command_of(daemon, *arguments, http=http), input=text, capture_output=True, timeout=2 * DEADLINE_S
    )


def fed(daemon: Daemon, *arguments: str) -> "subprocess.Popen[bytes]":
    """Starts jobctl with an open pipe for its input."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command_of(daemon, *arguments), bufsize=0, **pipes)


def said(program: "subprocess.Popen[bytes]", text: bytes) -> None:
    """Writes to a program that copies its input, and reads the copy."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(text)
    assert program.stdout.read(len(text)) == text
