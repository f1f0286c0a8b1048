"""Calls to a daemon that a failpoint may kill."""

from http.client import HTTPException
from typing import Any

from tests.support.daemon import Answer, Daemon, until


def dead(daemon: Daemon) -> bool:
    """Returns whether the process of the daemon has ended."""
    assert daemon.process is not None
    return daemon.process.poll() is not None


def call(daemon: Daemon, method: str, path: str, body: Any = None) -> Answer | None:
    """Returns the answer, None if jobd died before it gave one."""
    try:
        return daemon.call(method, path, body, {"Idempotency-Key": "k"})
    except (OSError, HTTPException):
        until(lambda: dead(daemon), "a daemon that does not answer is dead")
        return None
