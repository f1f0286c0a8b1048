"""`listen` and `verify` as programs: real HTTP requests, real key files, real signals."""

import base64
import http.client
import itertools
import json
import re
import signal
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.event import batch_body
from jobd.wire.signing import signature_headers

KEY = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def event(number: int) -> bytes:
    tree = {
        "id": f"e-{number}", "type": "orchestrator.job.log", "subject": "a", "time": "2030-01-31T08:00:00.5Z",
        "data": {"lines": [f"line {number}"], "stream": "stdout"},
    }  # fmt: skip
    return json.dumps(tree).encode()


def signed(
    body: bytes, key: str = KEY, at: int | None = None, kind: str = "application/cloudevents+json"
) -> dict[str, str]:
    return {"Content-Type": kind, **signature_headers(key, "e-1", at or int(time.time()), body)}


class Listening:
    """A `jobctl listen` that runs, and requests to it."""

    def __init__(self, program: Any) -> None:
        self.program = program
        first = program.stderr.readline().decode()
        found = re.fullmatch(r"jobctl: listening; use --callback http://127\.0\.0\.1:(\d+)/\n", first)
        assert found, first
        self.port = int(found[1])

    def post(self, body: bytes, headers: dict[str, str], method: str = "POST") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def end(self) -> tuple[int, str, str]:
        out, err = self.program.communicate(timeout=60)
        return self.program.returncode, out.decode(), err.decode()


@pytest.fixture
def key_file(jobctl: Any) -> str:
    path: Path = jobctl.home / "key"
    path.write_text(KEY + "\n")
    return str(path)


def test_events_are_shown_verified_and_counted(jobctl: Any, key_file: str) -> None:
    listening = Listening(jobctl.start("listen", "--key-file", key_file, "-n", "4"))
    assert listening.post(event(1), signed(event(1))) == 204
    assert listening.post(event(1), signed(event(1))) == 204
    batch = batch_body([event(2), event(3)])
    assert listening.post(batch, signed(batch, kind="application/cloudevents-batch+json")) == 204
    code, out, err = listening.end()
    assert code == 0, err
    assert [line.split("  ", 1)[0] for line in out.splitlines()] == ["08:00:00.5"] * 4
    assert out.count("[verified]") == 4
    assert out.splitlines()[1].count("seen before") == out.count("seen before") == 1
    assert err == "jobctl: 4 events, 1 of them repeated\n"


def test_a_whsec_key_that_is_not_base64_is_its_own_bytes_for_listen_and_verify(jobctl: Any) -> None:
    (jobctl.home / "key").write_text("whsec_abc123\n")
    headers = signed(event(1), "whsec_abc123")
    listening = Listening(jobctl.start("listen", "--key-file", "key", "-n", "1"))
    assert listening.post(event(1), headers) == 204
    code, out, err = listening.end()
    assert (code, out.count("[verified]")) == (0, 1), err
    (jobctl.home / "body").write_bytes(event(1))
    given = [part for name, text in headers.items() for part in ("-H", f"{name}: {text}")]
    done = jobctl("verify", "--key-file", "key", *given, "body")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"verified"), done.stderr


def test_an_unverified_event_is_refused_and_the_exit_code_is_1(jobctl: Any, key_file: str) -> None:
    listening = Listening(jobctl.start("listen", "--key-file", key_file, "-n", "3", "--json"))
    assert listening.post(event(1), signed(event(2))) == 401
    assert listening.post(event(2), signed(event(2), at=int(time.time()) - 4000)) == 401
    assert listening.post(event(3), {}) == 401
    code, out, err = listening.end()
    assert code == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["verified"] for line in lines] == [False] * 3
    assert ["key is wrong" in lines[0]["reason"], "more than 5m" in lines[1]["reason"]] == [True, True]
    assert "3 not verified" in err


def test_odd_requests_are_refused_and_do_no_harm(jobctl: Any) -> None:
    listening = Listening(jobctl.start("listen", "--status", "202"))
    assert listening.post(b"not json", {}) == 202
    assert listening.post(b"", {}, method="GET") == 501
    connection = http.client.HTTPConnection("127.0.0.1", listening.port, timeout=60)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", listening.port, timeout=60)
    connection.request("POST", "/", iter([b"x"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()
    assert listening.post(event(1), {}) == 202
    assert listening.program.stdout.readline().endswith(b"stdout 1 line: line 1\n")
    listening.program.send_signal(signal.SIGINT)
    code, _, err = listening.end()
    assert code == 0
    assert "8 bytes without an event: not json" in err
    assert err.endswith("jobctl: 1 event\n")


def chunked(port: int) -> socket.socket:
    """A connection over which a request with a chunked body has begun."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    return connection


def test_a_sender_that_is_refused_while_it_still_sends_reads_the_answer(jobctl: Any) -> None:
    listening = Listening(jobctl.start("listen"))
    with chunked(listening.port) as connection:
        for _ in range(64):
            connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.0 411 ")


def test_a_sender_that_never_ends_is_cut_off(jobctl: Any) -> None:
    listening = Listening(jobctl.start("listen"))
    blocks = itertools.repeat(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
    with chunked(listening.port) as connection, pytest.raises(ConnectionError):
        deque(map(connection.sendall, blocks), maxlen=0)
    assert listening.post(event(1), {}) == 204


def test_a_port_in_use_is_reported(jobctl: Any) -> None:
    listening = Listening(jobctl.start("listen"))
    taken = jobctl("listen", "--port", str(listening.port))
    assert taken.returncode == 1
    assert b"Address already in use" in taken.stderr
    listening.program.send_signal(signal.SIGINT)
    assert listening.end()[0] == 0


def test_a_closed_stdout_ends_the_listing(jobctl: Any) -> None:
    listening = Listening(jobctl.start("listen"))
    listening.program.stdout.close()
    listening.post(event(1), {})
    assert listening.program.wait(60) == 141
    assert listening.program.stderr.read() == b""
    listening.program.stderr.close()


def test_verify_names_the_valid_headers(jobctl: Any, key_file: str) -> None:
    body: Path = jobctl.home / "body.json"
    body.write_bytes(event(1))
    (jobctl.home / "headers").write_text("".join(f"{k}: {v}\n" for k, v in signed(event(1)).items()))
    done = jobctl("verify", "--key-file", key_file, "-H", "@headers", "body.json")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second, last = done.stdout.decode().splitlines()
    assert first.startswith("ok    Webhook-Signature: signed with the key, sent ")
    assert (second, last) == ("ok    X-Signature-256: signed with the key", "verified")
    as_json = jobctl("verify", "--key-file", key_file, "-H", "@headers", "-", "--json", stdin=event(1))
    assert json.loads(as_json.stdout)["verified"] is True

    spoilt = jobctl("verify", "--key-file", key_file, "-H", "@headers", "-", stdin=event(1) + b"\n")
    assert spoilt.returncode == 1
    assert b"FAIL  Webhook-Signature: the body ends with a newline" in spoilt.stdout
    assert KEY.encode() not in spoilt.stdout + spoilt.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["body"], 2, "--key-file is missing"),
        (["--key-file", "key", "body"], 2, "headers of the body are missing"),
        (["--key-file", "key", "-H", "x", "body"], 2, "NAME: VALUE"),
        (["--key-file", "none", "-H", "X: y", "body"], 1, "none cannot be read"),
        (["--key-file", "key", "-H", "X: y", "none"], 1, "none cannot be read"),
        (
            ["--key-file", "key", "-H", "X: y", "body"],
            1,
            "the headers X-Signature-256 and Webhook-Signature are missing",
        ),
        (["--key-file", "key", "-H", "X: y", "--tolerance", "soon", "body"], 2, "--tolerance"),
    ],
)
def test_errors_of_verify_have_a_text(
    jobctl: Any, key_file: str, arguments: list[str], code: int, words: str
) -> None:
    (jobctl.home / "body").write_bytes(event(1))
    done = jobctl("verify", *arguments)
    assert done.returncode == code
    assert words in (done.stdout + done.stderr).decode()
