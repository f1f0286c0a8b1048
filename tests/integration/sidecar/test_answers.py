"""Answers of HTTP servers before, during and after a transfer, byte by byte over real sockets."""

import contextlib
import hashlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.artifact import Download, Upload
from sidecar.artifacts import download, upload
from sidecar.artifacts.base import Context
from sidecar.errors import ArtifactError
from sidecar.interrupts import TimeIsUp
from tests.integration.sidecar.raw_server import Behave, RawServer, take

SIZE = 40 << 20


@pytest.fixture
def raw() -> Iterator[RawServer]:
    made = RawServer()
    yield made
    made.close()


@pytest.fixture
def narrow() -> Iterator[RawServer]:
    """A server whose system holds next to nothing for it."""
    made = RawServer(receive_bytes=4096)
    yield made
    made.close()


def put(context: Context, url: str) -> int | None:
    return upload.transfer(Upload(id="u", source="result", out=url), context).size_bytes


def get(context: Context, url: str, **options: Any) -> int | None:
    return download.transfer(Download(id="d", source=url, out="in/x", **options), context).size_bytes


def early(status: str, after: int, *, linger: bool = False) -> Behave:
    """Reads `after` bytes of the body, answers, and closes."""

    def behave(connection: socket.socket) -> None:
        take(connection, after)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        if linger:
            time.sleep(0.05)

    return behave


@pytest.mark.parametrize("is_told", [True, False])
def test_a_success_before_the_end_of_the_upload_does_not_count(
    context: Context, raw: RawServer, root: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """Also where the system does not tell what has arrived."""
    if not is_told:
        monkeypatch.setattr("sidecar.transfer.http.unacknowledged_bytes", lambda response: 0)
    (root / "result").write_bytes(bytes(SIZE))
    raw.behave = [early("200 OK", 100_000)]
    with pytest.raises(
        ArtifactError, match=r"the server answered 200 OK after [\d,]+ of 41,943,040 bytes, after 4 tries"
    ):
        put(context, raw.url)
    assert len(raw.heads) == 4


def test_the_next_try_sends_the_whole_file(context: Context, raw: RawServer, root: Path) -> None:
    content = os.urandom(1 << 20) * 40
    (root / "result").write_bytes(content)
    taken: list[bytes] = []

    def whole(connection: socket.socket) -> None:
        taken.append(take(connection, len(content)))
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    raw.behave = [early("200 OK", 100_000), whole]
    assert put(context, raw.url) == len(content)
    assert taken == [hashlib.sha256(content).digest()]


def test_unacknowledged_bytes_count_as_unsent(context: Context, narrow: RawServer, root: Path) -> None:
    """A body that fits into this end's buffers: every write succeeds, and still most of it never left."""
    (root / "result").write_bytes(bytes(400_000))
    narrow.behave = [early("200 OK", 1000, linger=True)]
    with pytest.raises(ArtifactError, match=r"the server answered 200 OK after [\d,]+ of 400,000 bytes"):
        put(context, narrow.url)


@pytest.mark.parametrize("status", ["403 Forbidden", "413 Too Large"])
def test_an_early_refusal_is_reported(context: Context, raw: RawServer, root: Path, status: str) -> None:
    (root / "result").write_bytes(bytes(SIZE))

    def refuse(connection: socket.socket) -> None:
        take(connection, 1000)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(1 << 16):  # read on, so that no reset overtakes the answer
                pass

    raw.behave = [refuse]
    with pytest.raises(ArtifactError, match=f"the server answered {status}"):
        put(context, raw.url)
    assert len(raw.heads) == 1


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 10\r\n\r\n",
        b"Content-Length: 10\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"\r\n",
    ],
    ids=["no body", "half a body", "no chunk", "until close"],
)
def test_an_upload_succeeds_when_the_server_has_the_whole_file(
    make_context: Callable[..., Context], raw: RawServer, root: Path, rest: bytes
) -> None:
    """Whatever becomes of the answer's body: it says nothing of the file."""
    (root / "result").write_bytes(b"data")

    def slow(connection: socket.socket) -> None:
        take(connection, 4)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + rest)
        raw.over.wait(30)

    raw.behave = [slow]
    assert put(make_context(upload_timeout_s=20, upload_retries=0), raw.url) == 4
    assert len(raw.heads) == 1


def test_an_endless_or_broken_answer_does_not_undo_a_success(
    make_context: Callable[..., Context], raw: RawServer, root: Path
) -> None:
    (root / "result").write_bytes(b"data")

    def endless(connection: socket.socket) -> None:
        take(connection, 4)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    def broken(connection: socket.socket) -> None:
        take(connection, 4)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for behave in (endless, broken):
        raw.behave = [behave]
        assert put(make_context(upload_timeout_s=20, upload_retries=1), raw.url) == 4
    assert len(raw.heads) == 2


def test_a_time_limit_at_the_last_byte_does_not_undo_a_success(
    context: Context, server: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ring(seconds: float) -> None:
        raise TimeIsUp

    monkeypatch.setattr(context.interrupts, "shorten_limit", ring)
    (root / "result").write_bytes(b"data")
    assert put(context, server.on("/up", server.answer(200))) == 4


def test_a_status_line_without_a_head_is_no_success(
    make_context: Callable[..., Context], raw: RawServer, root: Path
) -> None:
    (root / "result").write_bytes(b"data")

    def cut(connection: socket.socket) -> None:
        take(connection, 4)
        connection.sendall(b"HTTP/1.1 20")

    raw.behave = [cut]
    with pytest.raises(ArtifactError, match="the connection broke"):
        put(make_context(upload_retries=0), raw.url)


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_interim_answers_are_skipped(context: Context, raw: RawServer, root: Path, interim: str) -> None:
    (root / "result").write_bytes(b"data")

    def behave(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {interim}\r\nLink: </a>\r\n\r\n".encode())
        take(connection, 4)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    raw.behave = [behave]
    assert put(context, raw.url) == 4


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("201 Created", "201 Created"),
        ("202 Accepted", "202 Accepted"),
        ("203 Non-Authoritative Information", "203"),
        ("204 No Content", "204 No Content"),
        ("205 Reset Content", "205"),
        ("206 Partial Content", "206 Partial Content"),
        ("226 IM Used", "226"),
    ],
)
def test_only_a_200_is_the_file(
    context: Context, raw: RawServer, root: Path, status: str, words: str
) -> None:
    body = b"" if status.startswith(("204", "205")) else b"part"

    def behave(connection: socket.socket) -> None:
        length = b"" if status.startswith("204") else b"Content-Length: %d\r\n" % len(body)
        connection.sendall(
            b"HTTP/1.1 " + status.encode() + b"\r\n" + length + b"Content-Range: bytes 0-3/9\r\n\r\n" + body
        )

    raw.behave = [behave]
    with pytest.raises(
        ArtifactError, match=rf"GET http://127.*: the server answered {words}.*, which is not the whole file"
    ):
        get(context, raw.url)
    assert len(raw.heads) == 1
    assert not (root / "in/x").exists()


@pytest.mark.parametrize("grows", [True, False])
def test_a_file_that_changes_during_the_upload_fails(
    context: Context, raw: RawServer, root: Path, grows: bool
) -> None:
    (root / "result").write_bytes(bytes(SIZE))

    def behave(connection: socket.socket) -> None:
        take(connection, 1000)
        with (root / "result").open("ab") as file:
            file.truncate(SIZE + 1 if grows else SIZE // 2)
        take(connection, SIZE - 1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    raw.behave = [behave]
    with pytest.raises(ArtifactError, match=r"result: (changed|became shorter) during the upload"):
        put(context, raw.url)


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_an_early_redirect_is_followed_or_refused_like_a_late_one(
    context: Context, raw: RawServer, root: Path, status: str
) -> None:
    (root / "result").write_bytes(bytes(SIZE))
    digests: list[bytes] = []

    def redirect(connection: socket.socket) -> None:
        connection.sendall(
            f"HTTP/1.1 {status} Found\r\nLocation: /y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(1 << 16):
                pass

    def end(connection: socket.socket) -> None:
        digests.append(take(connection, SIZE))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    raw.behave = [redirect, end]
    if status in ("307", "308"):
        assert put(context, raw.url) == SIZE
        assert digests == [hashlib.sha256(bytes(SIZE)).digest()]
    else:
        with pytest.raises(ArtifactError, match="would discard the content"):
            put(context, raw.url)
