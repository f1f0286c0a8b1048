"""HTTP for transfers: streaming GET and PUT, small POSTs, with time limits, redirects and retries.

Owns the only use of urllib3. What is worth another try: network errors, 408, 425, 429 and 5xx; everything else fails at once. A
URL may be a secret (presigned, or with a password): error texts show scheme, host and path alone, and no text of urllib3, which
would quote the rest, ever gets out.

Source: RFC 9110 (redirects, Retry-After); section "Delivery rules" of the guarantees for what is retried.
"""

import base64
import email.utils
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3 import exceptions as trouble
from urllib3.response import BaseHTTPResponse

from sidecar.errors import ArtifactError
from sidecar.interrupts import Interrupts, TimeIsUp

CHUNK_BYTES = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_METHOD_KEPT = frozenset({307, 308})
_RETRIED = frozenset({408, 425, 429})
_MOST_REDIRECTS = 5
_MOST_OF_A_BODY = 64 * 1024

T = TypeVar("T")


class HttpFailure(ArtifactError):
    """The request failed for good. `status` is the last answer's, None where there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _WorthAnotherTry(Exception):
    def __init__(self, why: str, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(why)
        self.status, self.after_s = status, after_s


@dataclass(frozen=True, slots=True)
class Pace:
    """How long single steps may take and how long to wait between tries, all in seconds."""

    connect_s: float = 30
    stall_s: float = 60
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 10
    longest_retry_after_s: float = 60


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends: its size in bytes and the chunks that add up to it."""

    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that may be tried more than once; `body` makes its body anew for each try. `limit_s` bounds each try."""

    method: str
    url: str
    limit_s: float
    retries: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Body] | None = None
    follows_redirects: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer whose body is still to be read. `total` is its announced length in bytes, None where unknown."""

    total: int | None
    chunks: Iterator[bytes]


def safe_url(url: str) -> str:
    """Returns a URL without what may be secret in it: user name, password, query, fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "(a URL that cannot be read)"
    return urlunsplit((parts.scheme, (f"[{host}]" if ":" in host else host) + port, parts.path, "", ""))


def backoff_s(pace: Pace, failures: int, asked_s: float | None, share: float) -> float:
    """Returns how long to wait after `failures` tries: what the server asked for, clamped, else a share
    (0 to 1) of a window that doubles each time.
    """
    if asked_s is not None:
        return min(max(asked_s, 0.0), pace.longest_retry_after_s)
    return share * min(pace.longest_backoff_s, pace.first_backoff_s * 2.0 ** min(failures - 1, 30))


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Returns the seconds that a Retry-After header asks for, given as seconds or as a date; None where it asks for nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return None


class Http:
    """Sends requests, one at a time."""

    def __init__(self, interrupts: Interrupts, pace: Pace | None = None) -> None:
        self._interrupts = interrupts
        self._pace = pace or Pace()
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=1, retries=False, blocksize=CHUNK_BYTES)

    def send(self, request: Request, take: Callable[[Answer], T]) -> T:
        """Returns what `take` makes of the 2xx answer; `take` runs anew, from the start, on every try.

        Raises:
            HttpFailure: refused, or all tries failed.
        """
        what = f"{request.method} {safe_url(request.url)}"
        for tries in range(1, request.retries + 2):
            try:
                with self._interrupts.time_limit(request.limit_s):
                    return self._try(request, take)
            except TimeIsUp:
                self._pool.clear()
                raise HttpFailure(f"{what}: not finished within {request.limit_s:g} seconds") from None
            except _WorthAnotherTry as failure:
                self._pool.clear()
                if tries > request.retries:
                    times = f", after {tries} tries" if tries > 1 else ""
                    raise HttpFailure(f"{what}: {failure}{times}", failure.status) from None
                time.sleep(backoff_s(self._pace, tries, failure.after_s, random.random()))  # noqa: S311  # no secret
            except HttpFailure as failure:
                raise HttpFailure(f"{what}: {failure}", failure.status) from None
        raise AssertionError("the last try returns or raises")

    def _try(self, request: Request, take: Callable[[Answer], T]) -> T:
        url, first = request.url, urlsplit(request.url)
        for _ in range(_MOST_REDIRECTS + 1):
            with self._answer(request, url, first) as response:
                if response.status not in _REDIRECTS or not request.follows_redirects:
                    _check(response)
                    return take(Answer(_length(response), _chunks(response)))
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
        body = request.body() if request.body is not None else None
        if body is not None:
            headers["Content-Length"] = str(body.size)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        with _translated():
            response = self._pool.request(
                request.method,
                bare,
                headers=headers,
                body=body.chunks if body is not None else None,
                preload_content=False,
                decode_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self._pace.connect_s, read=self._pace.stall_s),
            )
        try:
            yield response
        finally:
            response.close()


def _check(response: BaseHTTPResponse) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    why = f"the server answered {status}" + (f" {_plain(response.reason)}" if response.reason else "")
    if status in _RETRIED or status >= 500:
        raise _WorthAnotherTry(why, status, retry_after_s(response.headers.get("Retry-After"), time.time()))
    raise HttpFailure(why, status)


def _plain(text: str) -> str:
    return "".join(char for char in text[:80] if char.isascii() and char.isprintable())


def _redirected(request: Request, url: str, response: BaseHTTPResponse) -> str:
    location = response.headers.get("Location")
    if not location:
        raise HttpFailure(
            f"the server answered {response.status} without saying where to go", response.status
        )
    if request.body is not None and response.status not in _METHOD_KEPT:
        raise HttpFailure(
            f"the server answered {response.status}, which would drop the content", response.status
        )
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise HttpFailure("redirected to something that is not an http(s) URL", response.status)
    return target


def _length(response: BaseHTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _chunks(response: BaseHTTPResponse) -> Iterator[bytes]:
    with _translated():
        yield from response.stream(CHUNK_BYTES, decode_content=False)


def small_body(answer: Answer) -> bytes:
    """Returns the first 64 KiB of an answer at most."""
    found = b""
    for chunk in answer.chunks:
        found += chunk
        if len(found) >= _MOST_OF_A_BODY:
            break
    return found[:_MOST_OF_A_BODY]


@contextmanager
def _translated() -> Iterator[None]:
    """Turns urllib3's errors into ours, in words of our own: its texts quote the URL."""
    try:
        yield
    except trouble.NameResolutionError:
        raise _WorthAnotherTry("the host's name cannot be resolved") from None
    except trouble.ConnectTimeoutError:
        raise _WorthAnotherTry("the host did not accept a connection in time") from None
    except trouble.NewConnectionError as error:
        raise _WorthAnotherTry(f"no connection ({_system_words(error)})") from None
    except (trouble.ReadTimeoutError, TimeoutError):
        raise _WorthAnotherTry("the server stopped sending or taking data") from None
    except (trouble.SSLError, ssl.SSLError) as error:
        words = _tls_words(error)
        if "certificate" in words:
            raise HttpFailure(f"TLS failed ({words})") from None
        raise _WorthAnotherTry(f"TLS failed ({words})") from None
    except trouble.LocationValueError:
        raise HttpFailure("the URL cannot be used") from None
    except trouble.ProtocolError as error:
        inner = error.args[-1] if error.args else None
        if isinstance(inner, trouble.IncompleteRead):
            raise _WorthAnotherTry(f"the connection ended {inner.expected} bytes early") from None
        raise _WorthAnotherTry(f"the connection broke ({_system_words(error)})") from None
    except trouble.HTTPError as error:
        raise _WorthAnotherTry(f"the request failed ({type(error).__name__})") from None
    except ValueError as error:
        raise HttpFailure(f"the URL or the answer cannot be used ({type(error).__name__})") from None
    except OSError as error:
        raise _WorthAnotherTry(f"the connection broke ({_system_words(error)})") from None


def _system_words(error: BaseException) -> str:
    """Returns the system's own words for the error that lies below, or the error's class: never its text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, trouble.HTTPError):
            return seen.strerror
        seen = (
            next((a for a in seen.args if isinstance(a, BaseException)), None)
            or seen.__cause__
            or seen.__context__
        )
    return type(error).__name__


def _tls_words(error: BaseException) -> str:
    inner = next((a for a in error.args if isinstance(a, ssl.SSLError)), error)
    reason = getattr(inner, "reason", None)
    detail = getattr(inner, "verify_message", None)
    words = str(reason).replace("_", " ").lower() if isinstance(reason, str) else "handshake failed"
    return f"{words}: {detail}" if detail else words
