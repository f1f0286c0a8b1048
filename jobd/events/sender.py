"""One signed POST of one stored event, or of an array of them, and what came of it.

Owns the HTTP client: no redirects, no proxies, no cookies, one bound on the whole exchange, a cap on what is read.
Decides nothing: `verdict.py` says what an answer means. Signing keys never show in a text that it returns.

Source: CloudEvents 1.0.2 HTTP binding (structured and batched mode); Standard Webhooks 1.0.
"""

import asyncio
import io
import socket
from typing import Self

import aiohttp
import msgspec
from aiohttp.payload import BytesPayload
from yarl import URL

from jobd.clock import Clock
from jobd.events.egress import EgressPolicy, EgressRefused
from jobd.events.resolver import EgressResolver
from jobd.events.verdict import Answer
from jobd.wire.event import BATCH_CONTENT_TYPE, binding_headers
from jobd.wire.signing import signature_headers

USER_AGENT = "jobd"
READ_BYTES = 4096
READ_S = 1.0
_SHOWN_CHARACTERS = 200
_AT_ONCE_BYTES = 1 << 16


class Sender:
    """Sends events. Made within a running loop; `close` it, or use it as a context manager.

    `timeout_s` bounds one request from resolving the name to the answer's headers. Connections are kept and used again.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        clock: Clock,
        timeout_s: float = 10.0,
        connections: int = 20,
        gateway: str | None = None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._resolver = EgressResolver(policy, gateway)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                limit=connections,
                ttl_dns_cache=10,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            max_line_size=8190,
            max_field_size=8190,
            read_bufsize=2 * READ_BYTES,
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        # The last place before connect(): names, literals, odd spellings - every address passes here.
        family, kind, protocol, _, address = info
        self._policy.check(str(address[0]), int(address[1]))
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        """POSTs `body` to `url`, signed with `key` where there is one; with `batch` it is an array of events, and `event_id`
        its first one's. Returns what came of it; raises nothing of its own.
        """
        try:
            target = URL(url)
            headers = {"Content-Type": BATCH_CONTENT_TYPE} if batch else binding_headers(body)
            headers |= signature_headers(key, event_id, int(self._clock.now().timestamp()), body)
        except (ValueError, msgspec.MsgspecError):
            return Answer("invalid", text="the callback's URL, its key or the stored event is not usable")
        try:
            # Long ones go in pieces.
            data = BytesPayload(body) if len(body) <= _AT_ONCE_BYTES else io.BytesIO(body)
            async with self._session.post(
                target, data=data, headers=headers, allow_redirects=False
            ) as response:
                text = await self._read(response)
                return Answer("answer", response.status, response.headers.get("Retry-After"), text)
        except TimeoutError:
            return Answer("timeout", text="no answer in time")
        except ValueError:  # aiohttp's InvalidURL too
            return Answer("invalid", text="the callback's URL is not usable")
        except (aiohttp.ClientError, OSError) as error:
            return _no_answer(error)

    async def _read(self, response: aiohttp.ClientResponse) -> str:
        # The status decides; the body is read as far as it is short and quick, so that the connection can be kept.
        if response.status < 300 and response.content.at_eof():
            return ""
        got = b""
        try:
            async with asyncio.timeout(READ_S):
                while len(got) <= READ_BYTES and not response.content.at_eof():
                    got += await response.content.read(READ_BYTES + 1 - len(got))
                    if len(got) > READ_BYTES:
                        response.close()
                        break
        except (TimeoutError, aiohttp.ClientError, OSError):
            response.close()
        if response.status < 300:
            return ""
        text = got[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN_CHARACTERS].strip()

    async def close(self) -> None:
        """Closes all connections. Safe to repeat."""
        await self._session.close()
        await self._resolver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _no_answer(error: Exception) -> Answer:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EgressRefused):
            return Answer("refused", text=str(cause))
        inner = getattr(cause, "os_error", None)
        cause = inner if isinstance(inner, BaseException) and inner is not cause else cause.__cause__
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Answer("network", text="the receiver closed the connection without an answer")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Answer("network", text=f"cannot connect: {error.os_error.strerror or error.os_error}")
    if isinstance(error, aiohttp.ClientResponseError):
        # Its own text would hold the URL, and a URL may hold a token.
        return Answer(
            "network", text=f"not an HTTP answer: {' '.join(error.message.split())[:_SHOWN_CHARACTERS]}"
        )
    return Answer("network", text=f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS])
