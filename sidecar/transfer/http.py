"""The sidecar's HTTP client: streaming GET and PUT, small POSTs, with time limits, redirects and retries.

Network errors, 408, 425, 429 and 5xx are retried; everything else fails at once. A success counts only where the server had received the
whole request before it answered; an error in the answer's body does not change that.

Source: RFC 9110, "Redirection 3xx"; docs/events.md, "What an answer means", for what is retried.
"""

import base64
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.response import BaseHTTPResponse

from sidecar.interrupts import Interrupts, TimeIsUp
from sidecar.transfer.http_connection import pool_manager, unacknowledged_bytes
from sidecar.transfer.http_errors import HttpFailure, RetryableFailure, translated
from sidecar.transfer.retry import Pace, backoff_s, retry_after_s, safe_url

CHUNK_BYTES = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_METHOD_KEPT = frozenset({307, 308})
_RETRIED = frozenset({408, 425, 429})
_MOST_REDIRECTS = 5
_MOST_OF_A_BODY = 64 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request: its size in bytes, and its chunks."""

    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One request with retries. `body` creates the body for each try; `limit_s` bounds each try."""

    method: str
    url: str
    limit_s: float
    retries: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Body] | None = None
    follows_redirects: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer with its body unread. `status_text`: status and reason; `total`: the announced length in bytes; None: unknown."""

    status: int
    status_text: str
    total: int | None
    chunks: Iterator[bytes]


class Http:
    """Sends requests, one at a time."""

    def __init__(self, interrupts: Interrupts, pace: Pace | None = None) -> None:
        self._interrupts = interrupts
        self._pace = pace or Pace()
        self._pool = pool_manager(CHUNK_BYTES)

    def send(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Returns the result of `read` for the 2xx answer. `read` starts from the beginning on every try.

        Raises:
            HttpFailure: the server refused the request, or all tries failed.
        """
        what = f"{request.method} {safe_url(request.url)}"
        for tries in range(1, request.retries + 2):
            try:
                with self._interrupts.time_limit(request.limit_s):
                    return self._try(request, read)
            except TimeIsUp:
                self._pool.clear()
                raise HttpFailure(f"{what}: not finished within {request.limit_s:g} seconds") from None
            except RetryableFailure as failure:
                self._pool.clear()
                if tries > request.retries:
                    times = f", after {tries} tries" if tries > 1 else ""
                    raise HttpFailure(f"{what}: {failure}{times}", failure.status) from None
                time.sleep(backoff_s(self._pace, tries, failure.after_s, random.random()))  # noqa: S311  # no secret
            except HttpFailure as failure:
                raise HttpFailure(f"{what}: {failure}", failure.status) from None
        raise AssertionError("the last try returns or raises")

    def deliver(self, request: Request) -> None:
        """Sends a request that is done with a 2xx. Reads at most a little of the answer's body, for a short time, so that the connection
        can be used again.

        Raises:
            HttpFailure: the server refused the request, or all tries failed.
        """
        done = False

        def settle(answer: Answer) -> None:
            nonlocal done
            done = True
            self._interrupts.shorten_limit(self._pace.settle_s)
            size = 0
            try:
                for chunk in answer.chunks:
                    size += len(chunk)
                    if size >= _MOST_OF_A_BODY:
                        break
            except (TimeIsUp, RetryableFailure, HttpFailure):
                pass

        try:
            self.send(request, settle)
        except HttpFailure:
            if not done:  # the time limit may pass just after the last byte
                raise

    def _try(self, request: Request, read: Callable[[Answer], T]) -> T:
        url, first = request.url, urlsplit(request.url)
        for _ in range(_MOST_REDIRECTS + 1):
            with self._answer(request, url, first) as response:
                if response.status not in _REDIRECTS or not request.follows_redirects:
                    _check(response)
                    return read(
                        Answer(response.status, _status_text(response), _length(response), _chunks(response))
                    )
                url = _redirected(request, url, response)
        raise HttpFailure(f"more than {_MOST_REDIRECTS} redirects")

    @contextmanager
    def _answer(self, request: Request, url: str, first: SplitResult) -> Iterator[BaseHTTPResponse]:
        parts = urlsplit(url)
        headers = {"User-Agent": "job-sidecar", "Accept-Encoding": "identity", **request.headers}
        if parts.username is not None and (parts.scheme, parts.hostname, parts.port) == (
            first.scheme,
            first.hostname,
            first.port,
        ):
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        sending = _Sending(request.body()) if request.body is not None else None
        if sending is not None:
            headers["Content-Length"] = str(sending.size)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        with translated():
            response = self._pool.request(
                request.method,
                bare,
                headers=headers,
                body=sending.chunks() if sending is not None else None,
                preload_content=False,
                decode_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self._pace.connect_s, read=self._pace.stall_s),
            )
        try:
            if sending is not None and 200 <= response.status < 300:
                sending.check(response)
            yield response
        finally:
            response.close()


class _Sending:
    """Counts the sent bytes of a body. A server may answer before the end of the body, and urllib3 then stops sending."""

    def __init__(self, body: Body) -> None:
        self.size = body.size
        self._body = body
        self._sent = 0
        self._complete = False

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._body.chunks:
            yield chunk
            self._sent += len(chunk)
        self._complete = True

    def check(self, response: BaseHTTPResponse) -> None:
        missing = unacknowledged_bytes(response)
        if not self._complete or missing:
            arrived = max(0, self._sent - missing)
            why = f"the server answered {_status_text(response)} after {arrived:,} of {self.size:,} bytes"
            raise RetryableFailure(why, response.status)


def _check(response: BaseHTTPResponse) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    why = f"the server answered {_status_text(response)}"
    if status in _RETRIED or status >= 500:
        raise RetryableFailure(why, status, retry_after_s(response.headers.get("Retry-After"), time.time()))
    raise HttpFailure(why, status)


def _status_text(response: BaseHTTPResponse) -> str:
    return str(response.status) + (f" {_plain(response.reason)}" if response.reason else "")


def _plain(text: str) -> str:
    return "".join(char for char in text[:80] if char.isascii() and char.isprintable())


def _redirected(request: Request, url: str, response: BaseHTTPResponse) -> str:
    location = response.headers.get("Location")
    if not location:
        raise HttpFailure(f"the server answered {response.status} without a Location header", response.status)
    if request.body is not None and response.status not in _METHOD_KEPT:
        raise HttpFailure(
            f"the server answered {response.status}, which would discard the content", response.status
        )
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise HttpFailure("the server redirected to a URL that is not http(s)", response.status)
    return target


def _length(response: BaseHTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _chunks(response: BaseHTTPResponse) -> Iterator[bytes]:
    with translated():
        yield from response.stream(CHUNK_BYTES, decode_content=False)
