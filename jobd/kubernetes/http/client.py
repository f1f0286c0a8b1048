"""Requests to the API server: one session, its credentials, and what a failed request means.

Owns connections, tokens and time limits. Knows no object but the bytes of one.

Source: Kubernetes documentation, "Kubernetes API Concepts".
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from jobd.clock import Clock
from jobd.jobs.port.errors import EngineUnavailable
from jobd.kubernetes.http.credentials import Credentials
from jobd.kubernetes.http.errors import ApiError, api_error
from jobd.kubernetes.http.kubeconfig import Access

OnCall = Callable[[str, float, bool], None]
"""Called after each control call with its name, its seconds, and whether the API server carried it out."""
CONNECT_S, ANSWER_S = 5.0, 30.0
ANSWER_BYTES = 64 << 20
"""The longest answer to a control call: a list of some ten thousand Pods."""
ERROR_BYTES = 64 << 10
MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
CHANNELS = "v5.channel.k8s.io"
CALLS_AT_ONCE = 100
"""Further control calls wait. A stream holds its connection as long as its job runs, and takes none of these."""
_DROPPED = (aiohttp.ClientError, OSError, TimeoutError)


class Client:
    """One API server. Use and `close` a client within one event loop. Raises `ApiError` for refusals, EngineUnavailable without an answer."""

    def __init__(self, access: Access, clock: Clock, on_call: OnCall | None = None) -> None:
        self.access = access
        self._clock = clock
        self._credentials = Credentials(access, clock)
        self._on_call = on_call or (lambda name, seconds, ok: None)
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)
        self._made: aiohttp.ClientSession | None = None
        self._making = asyncio.Lock()

    @property
    def pods(self) -> str:
        """The path of the namespace's Pods."""
        return f"/api/v1/namespaces/{self.access.namespace}/pods"

    async def call(
        self,
        name: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> bytes:
        """Makes one request and returns the answer's body. `name` is the call's in metrics."""
        began = self._clock.monotonic()
        ok = False
        try:
            data = None if body is None else msgspec.json.encode(body)
            headers = {} if data is None else {"Content-Type": content_type}
            async with (
                self._calls,
                self._request(method, path, params, headers, data, ANSWER_S) as response,
            ):
                content = await _read(response, ANSWER_BYTES)
            ok = True
            return content
        finally:
            self._on_call(name, self._clock.monotonic() - began, ok)

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, silence_s: float | None
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Opens an answer that goes on. `silence_s`: the connection counts as broken after that long without a byte."""
        async with self._request("GET", path, params, {}, None, None, silence_s) as response:
            yield response.content

    @asynccontextmanager
    async def channels(
        self, path: str, params: Sequence[tuple[str, str]]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Opens the WebSocket of an exec or attach."""
        url = self._url(path).with_query(params)
        for tries_left in (1, 0):
            session = await self._session()
            try:
                connecting = session.ws_connect(
                    url,
                    protocols=(CHANNELS,),
                    headers=await self._headers(),
                    max_msg_size=4 << 20,
                    timeout=aiohttp.ClientWSTimeout(ws_close=5),  # type: ignore[attr-defined,unused-ignore]
                    server_hostname=self.access.server_name,
                )
                async with asyncio.timeout(ANSWER_S):
                    socket = await connecting
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 401 and tries_left:
                    await self._renew()
                    continue
                raise ApiError(error.status, "", error.message) from error
            except _DROPPED as error:
                raise _unavailable(error) from error
            break
        try:
            if socket.protocol != CHANNELS:
                raise EngineUnavailable(
                    f"the API server does not speak {CHANNELS}: jobd needs Kubernetes 1.30"
                )
            yield socket
        finally:
            with contextlib.suppress(*_DROPPED):
                await socket.close()

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: bytes | None,
        total_s: float | None,
        silence_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(
            total=total_s, sock_connect=CONNECT_S, sock_read=silence_s, connect=CONNECT_S
        )
        for tries_left in (1, 0):
            session = await self._session()
            try:
                response = await session.request(
                    method,
                    self._url(path),
                    params=params,
                    data=data,
                    headers={**await self._headers(), **headers},
                    timeout=timeout,
                    server_hostname=self.access.server_name,
                    allow_redirects=False,
                )
            except _DROPPED as error:
                raise _unavailable(error) from error
            if response.status == 401 and tries_left:
                response.release()
                await self._renew()
                continue
            break
        try:
            if response.status >= 300:
                raise api_error(response.status, await _read(response, ERROR_BYTES))
            yield response
        except _DROPPED as error:
            raise _unavailable(error) from error
        finally:
            response.close()

    def _url(self, path: str) -> URL:
        return URL(f"{self.access.server}{path}", encoded=False)

    async def _headers(self) -> dict[str, str]:
        token = await self._credentials.token()
        return {
            "Accept": "application/json",
            **({} if token is None else {"Authorization": f"Bearer {token}"}),
        }

    async def _session(self) -> aiohttp.ClientSession:
        async with self._making:
            if self._made is None:
                tls = await self._credentials.tls()
                # Calls have a bound of their own; streams have that of the jobs that run at once.
                connector = aiohttp.TCPConnector(
                    ssl=tls if tls is not None else True, limit=0, keepalive_timeout=60
                )
                self._made = aiohttp.ClientSession(connector=connector, auto_decompress=True)
            return self._made

    async def _renew(self) -> None:
        """The API server has refused the credentials: reads them, and a client certificate, again."""
        self._credentials.renew()
        access = self.access
        if access.certificate.path is not None or access.exec is not None:
            async with self._making:
                old, self._made = self._made, None
            if old is not None:
                await old.close()

    async def close(self) -> None:
        """Closes all connections."""
        made, self._made = self._made, None
        if made is not None:
            await made.close()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(1 << 16):
        size += len(chunk)
        if size > limit:
            raise EngineUnavailable(f"the API server's answer is longer than {limit} bytes", answered=True)
        chunks.append(chunk)
    return b"".join(chunks)


def _unavailable(error: BaseException) -> EngineUnavailable:
    return EngineUnavailable(f"the API server does not answer: {str(error) or type(error).__name__}")
