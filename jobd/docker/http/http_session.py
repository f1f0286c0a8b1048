"""Streaming calls to the engine: events, logs, archives, pulls and builds, on the event loop.

Owns the HTTP session over the engine's socket and the timeouts of streamed bodies. The blocking SDK would need a thread for
each stream.

Source: Docker Engine API, "Streaming" calls.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp_retry import ExponentialRetry, RetryClient

from jobd.docker.http.endpoint import Endpoint
from jobd.docker.http.errors import message_of, refusal
from jobd.jobs.port.errors import EngineUnavailable

CHUNK_BYTES = 64 * 1024
_ERROR_BYTES = 64 * 1024
_THREE_TRIES = ExponentialRetry(
    attempts=3,
    start_timeout=0.05,
    exceptions={aiohttp.ClientOSError, aiohttp.ServerDisconnectedError},
    retry_all_server_errors=False,
)
"""For a connection that broke before the engine answered. After an answer there is no retry."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of all calls to the engine, in seconds."""

    connect_s: float = 5
    answer_s: float = 20
    """For short calls: inspect, create, list, kill."""
    work_s: float = 120
    """For long calls: start, remove, and the wait for the next part of a streamed body."""
    stall_s: float = 60
    """How long a pull or a build may be silent."""


class Silent(EngineUnavailable):
    """The engine sent nothing within the time limit."""


class Body:
    """The body of a successful answer. `date`: the engine's clock, from the HTTP header."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.date = response.headers.get("Date")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields what has arrived, as it arrives."""
        while chunk := await self._response.content.readany():
            yield chunk

    async def read(self, limit: int) -> bytes:
        """Returns the whole body.

        Raises: EngineUnavailable: the body is longer than `limit` bytes.
        """
        parts, size = [], 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise EngineUnavailable(f"the engine's answer is longer than {limit} bytes")
        return b"".join(parts)


class HttpSession:
    """An HTTP session with one engine; created on first use, within the running loop."""

    def __init__(self, endpoint: Endpoint, timeouts: Timeouts) -> None:
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: AsyncIterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float | None,
        buffer_bytes: int = CHUNK_BYTES,
        fresh: bool = False,
        again: bool = False,
    ) -> AsyncIterator[Body]:
        """Sends a request and yields the body of a successful answer. Closes the connection if the body is not read to its end.

        `silence_s`: the limit for the answer and for each part of the body; None: no limit. `fresh`: opens a new connection.
        `again`: the call is idempotent, and is tried three times if the connection breaks before the answer.
        Raises: Refusal, ServerError: status 400 or above. EngineUnavailable: no connection, or the connection broke.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeouts.connect_s, sock_read=silence_s
        )
        session = self._made() if fresh else self._opened()
        client = RetryClient(session, retry_options=_THREE_TRIES) if again else session
        try:
            async with client.request(
                method,
                self._endpoint.base_url + path,
                params=params,
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                read_bufsize=buffer_bytes,
            ) as response:
                if response.status >= 400:
                    body = await response.content.read(_ERROR_BYTES)
                    raise refusal(response.status, message_of(body))
                yield Body(response)
        except TimeoutError as error:
            raise Silent(f"{self._endpoint.url}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise EngineUnavailable(f"{self._endpoint.url}: {what}") from error
        finally:
            if fresh:
                await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = self._made()
        return self._session

    def _made(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # The callers bound the connections: at most one stream for each running container.
            connector=_connector(self._endpoint),
            # Proxy variables never apply to the engine's address.
            trust_env=False,
            # By default aiohttp accepts gzip, and the engine would compress archives.
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)


def _connector(endpoint: Endpoint) -> aiohttp.BaseConnector:
    if endpoint.socket_path is not None:
        return aiohttp.UnixConnector(path=endpoint.socket_path, limit=0)
    if endpoint.tls is None:
        return aiohttp.TCPConnector(limit=0)
    try:
        return aiohttp.TCPConnector(limit=0, ssl=endpoint.tls.context())
    except OSError as error:
        raise EngineUnavailable(f"cannot use the certificates for {endpoint.url}: {error}") from error
