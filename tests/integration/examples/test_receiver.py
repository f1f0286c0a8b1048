"""The receiver that people copy: what it takes, what it refuses, and that it acts on each event once, in a batch or alone."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.signing import signature_headers

PROGRAM = Path(__file__).resolve().parents[3] / "examples" / "receiver.py"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SINGLE = "application/cloudevents+json; charset=utf-8"
BATCH = "application/cloudevents-batch+json; charset=utf-8"
DEADLINE_S = 60.0


class Program:
    """The example as a process of its own."""

    def __init__(self, port: int, key: str = KEY) -> None:
        self.key = key
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(PROGRAM)],
            env={**os.environ, "WEBHOOK_KEY": key, "PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S).close()
                return
            except ConnectionRefusedError:
                assert self.process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.02)

    def post(self, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> int:
        signed = signature_headers(self.key, "e", 1, body) if headers is None else headers
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("POST", "/events", body, {"Content-Type": content_type, **signed})
            return connection.getresponse().status
        finally:
            connection.close()

    def end(self) -> list[list[str]]:
        """Ends the program and returns the number and the type of each event that it acted on."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        return [line.split()[1:3] for line in out.splitlines()]


@pytest.fixture(params=[KEY, "whsec_abc123"])
def program(request: pytest.FixtureRequest, free_port: Callable[[], int]) -> Iterator[Program]:
    made = Program(free_port(), request.param)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate(timeout=DEADLINE_S)


def event(number: int, **data: Any) -> dict[str, Any]:
    return {"id": f"e{number}", "type": "log", "jobuid": "u", "jobsequence": number, "data": data}


def array(*numbers: int) -> bytes:
    return json.dumps([event(number) for number in numbers]).encode()


def test_single_events_and_batches_are_acted_on_once_and_in_order(program: Program) -> None:
    assert program.post(json.dumps(event(1)).encode(), SINGLE) == 204
    assert program.post(array(2, 3), BATCH) == 204
    assert program.post(array(2, 3, 4), BATCH) == 204, "sent again, and grown"
    assert program.post(json.dumps(event(4)).encode(), SINGLE) == 204
    assert program.post(array(5), BATCH) == 204
    assert program.end() == [[str(number), "log"] for number in (1, 2, 3, 4, 5)]


def test_a_batch_is_signed_as_a_whole(program: Program) -> None:
    whole = array(1, 2)
    for headers in (
        {},
        signature_headers("whsec_c29tZWJvZHkgZWxzZQ==", "e", 1, whole),
        signature_headers(KEY, "e", 1, json.dumps(event(1)).encode()),
    ):
        assert program.post(whole, BATCH, headers) == 401
    assert program.post(array(1, 2, 3), BATCH, signature_headers(KEY, "e", 1, whole)) == 401, (
        "grown on its way"
    )
    assert program.end() == []


def test_a_body_beyond_the_bound_is_refused_unread(program: Program) -> None:
    assert program.post(b"", SINGLE, {"Content-Length": str(64 << 20)}) == 413
