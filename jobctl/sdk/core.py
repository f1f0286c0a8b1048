"""The requests of a client, repeated while a daemon that has answered before is away. Threads share one core."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from jobctl.connection.client import LONGEST_ANSWER_BYTES, Client, Query, job_path, read_all
from jobctl.connection.config import Target, targets
from jobctl.errors import ConnectionLost, JobctlError, Misuse, Refused, Unreachable
from jobd.wire.views.job import JobView

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class Core:
    """The connection of one client. `reconnect_for_s`: how long a daemon may be away.

    Raises:
        Misuse, LocalFile, NotAllowed: the address or the key cannot be used.
    """

    def __init__(self, host: str | None, api_key: str | None, reconnect_for_s: float) -> None:
        self._targets = [_with_key(target, api_key) for target in targets(host, os.environ)]
        self.reconnect_for_s = reconnect_for_s
        self.http = Client(self._targets)
        self.closed = threading.Event()
        self._first = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "http"):  # else the address was refused
            self.close()

    def call(self, method: str, path: str, query: Query | None = None, body: bytes | None = None) -> bytes:
        """Returns the body of a successful answer. The request must be one that may be repeated. Raises as `Client.open` does."""

        def once() -> bytes:
            with self.http.open(method, path, query, body, keep=True) as response:
                return read_all(response, LONGEST_ANSWER_BYTES)

        return self.patiently(once)

    def view(self, job_id: str) -> JobView:
        """Returns a job. Raises NotFound: no job has this id."""
        return msgspec.json.decode(self.call("GET", job_path(job_id)), type=JobView)

    def target(self) -> Target:
        """Returns the address of the daemon, which has answered. Raises Unreachable: no daemon answers."""
        if self.http.target is None:
            self.call("GET", "/livez")
        assert self.http.target is not None
        return self.http.target

    def patiently(self, act: Callable[[], T]) -> T:
        """Returns what `act` returns. Repeats it while the daemon is away, if the daemon has answered this client before.

        Raises:
            ConnectionLost: the daemon was away for longer than `reconnect_for_s`.
        """
        began, pause = 0.0, FIRST_PAUSE_S
        while True:
            self.check_open()
            try:
                return self.once(act)
            except (ConnectionLost, Unreachable, Refused) as error:
                if not self._is_away(error):
                    raise
                now = time.monotonic()
                began = began or now
                if now - began > self.reconnect_for_s:
                    if isinstance(error, Refused):  # the daemon answers, and says what it lacks
                        raise
                    raise self._gave_up(error) from None
            self.closed.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def once(self, act: Callable[[], T]) -> T:
        """Returns what `act` returns. Until a daemon has answered, one thread at a time chooses among the addresses."""
        if self.http.target is not None:
            return act()
        with self._first:
            return act()

    def close(self) -> None:
        """Ends the waits between two tries, and refuses further requests."""
        self.closed.set()
        while self.http.close_kept():
            pass

    def check_open(self) -> None:
        """Raises Misuse: the client is closed."""
        if self.closed.is_set():
            raise Misuse("the client is closed", hint="make a new one: Client()")

    def _gave_up(self, error: JobctlError) -> ConnectionLost:
        """Returns the error of a daemon that was away for too long."""
        return ConnectionLost(
            f"jobd could not be reached for {self.reconnect_for_s:g} s: {error.message}",
            hint="jobs go on without jobd; see: jobctl doctor",
        )

    def _is_away(self, error: JobctlError) -> bool:
        if self.http.target is None:
            return False
        return not isinstance(error, Refused) or error.transient


def _with_key(target: Target, api_key: str | None) -> Target:
    if api_key is None or target.scheme == "unix":
        return target
    return Target(target.scheme, host=target.host, port=target.port, key=api_key, ca_file=target.ca_file)
