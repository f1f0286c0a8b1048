"""Requests to jobd's API over its Unix socket, with time limits; every missing response has status 0."""

import contextlib
import http.client
import io
import json
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.daemon import UnixConnection
from tests.support.wire import multipart

CALL_S = 30.0
SMALL_BUFFER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a body; status 0 if there was no complete response."""

    status: int
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error's fields, empty if the body is no error."""
        try:
            tree = json.loads(self.body)
        except ValueError:
            return {}
        return tree if isinstance(tree, dict) else {}


class Api:
    """Thread-safe: each call has its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = UnixConnection(str(self._path), CALL_S)
        try:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.read())
        except (OSError, http.client.HTTPException):
            return Reply(0)
        finally:
            connection.close()

    def submit(self, spec: dict[str, Any], files: Mapping[str, str], *, again: bool) -> Reply:
        """`again`: sends an `Idempotency-Key`, for a submission that may be a repetition."""
        body, headers = json.dumps(spec).encode(), {"Content-Type": "application/json"}
        if files:
            body, headers = multipart(("spec", body), ("files", _tar(files)))
        if again:
            headers = {**headers, "Idempotency-Key": "soak"}
        return self.call("POST", "/v1/jobs", body, headers)

    @contextmanager
    def stream(self, target: str, *, slow: bool = False) -> Iterator[http.client.HTTPResponse]:
        """A GET with a streamed body. `slow`: with a receive buffer of a few KiB.

        Raises:
            OSError, http.client.HTTPException: the response is missing or breaks off.
        """
        connection = UnixConnection(str(self._path), CALL_S)
        try:
            connection.connect()
            if slow:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
            connection.request("GET", target)
            yield connection.getresponse()
        finally:
            with contextlib.suppress(OSError):
                connection.close()


def _tar(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            data = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
