"""A load of jobs of all kinds on a jobd, over its HTTP API: jobs that succeed, fail, wait, print, transfer files and have callbacks.

Owns a thread that submits; each round is bounded. Some callbacks go to a port that nobody listens to, so that events pile up.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, Self

ROUND = 12
CLOSED = "http://127.0.0.1:9/closed"
"""The port `discard`, to which jobd may send and where nothing listens."""
WAIT_S = 60.0


class Load:
    """A context manager that submits jobs until its end, then cancels what is left. `hold_queue_s`: each round waits for so long in a paused queue.
    `fail_pulls`: a round also has a job whose image does not exist. `failing`: how many jobs of a round fail.
    """

    def __init__(self, address: str, image: str, callback: str, failing: int = 8) -> None:
        self._address = address
        self._image = image
        self._callback = callback
        self._failing = failing
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.rounds = 0
        self.hold_queue_s = 0.0
        self.fail_pulls = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        self._call("POST", "/v1/queue/resume", {})
        for number in range(self.rounds + 1):
            self._call("POST", f"/v1/sets/load-{number}/cancel", {}, refused=True)

    def check(self) -> None:
        """Raises what has ended the load."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._round(f"load-{self.rounds}")
                self.rounds += 1
        except BaseException as error:
            self._error = error

    def _round(self, name: str) -> None:
        if self.hold_queue_s:
            self._call("POST", "/v1/queue/pause", {})
        for number in range(ROUND):
            self._submit(name, number)
        if self.fail_pulls:
            self._post({"id": f"{name}-pull", "image": "127.0.0.1:9/none:1", "command": "true", "set": name})
        if self.hold_queue_s:
            self._stop.wait(self.hold_queue_s)
            self._call("POST", "/v1/queue/resume", {})
        for path in ("/v1/version", "/v1/jobs", "/v1/stats", "/v1/jobs/unknown"):
            self._call("GET", path, refused=True)
        deadline = time.monotonic() + WAIT_S
        while not self._stop.wait(0.3) and time.monotonic() < deadline:
            found = json.loads(self._call("GET", f"/v1/sets/{name}"))
            if found["waiting"] < ROUND // 3:
                return

    def _submit(self, name: str, number: int) -> None:
        fails = number < self._failing
        command = f"for i in 1 2 3; do echo line $i; sleep 0.{number % 4}; done; exit {int(fails)}"
        spec: dict[str, Any] = {
            "id": f"{name}-{number}",
            "image": self._image,
            "command": command,
            "set": name,
            "group": ("default", "night")[number % 2],
            "callback": {"url": CLOSED if number % 3 == 0 else self._callback},
        }
        if number % 6 == 1:
            spec["artifacts"] = [{"id": "in", "type": "write", "in": "text", "out": "in.txt"}]
        self._post(spec)

    def _post(self, spec: dict[str, Any]) -> None:
        self._call("POST", "/v1/jobs", spec)

    def _call(self, method: str, path: str, body: Any = None, *, refused: bool = False) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            if not refused:
                raise
            return error.read()
