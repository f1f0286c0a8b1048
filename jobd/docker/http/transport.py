"""Makes control calls: through the SDK in a thread, or on the event loop; with time limits, one API version, and metrics.

Owns the threads, the negotiated version and the limits. `engine.py` has the calls.

Source: Docker Engine API, 1.41 to 1.45.
"""

import asyncio
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import msgspec
from docker import APIClient

from jobd.docker.http.api_version import agree
from jobd.docker.http.endpoint import Endpoint
from jobd.docker.http.errors import Refusal, port_error
from jobd.docker.http.http_session import HttpSession, Timeouts
from jobd.docker.http.sdk import client_for, translated
from jobd.docker.mapping.models import Version
from jobd.jobs.port.errors import EngineUnavailable

T = TypeVar("T")
OnCall = Callable[[str, float, bool], None]
Speed = Literal["answer", "work"]

_THREADS = 32
SMALL_ANSWER = 4 * 1024 * 1024


class Transport:
    """One engine. Safe to use from one event loop; every call has a time limit, and the number of threads is bounded.

    `on_call(name, seconds, ok)` is called after each call.
    """

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts, streams: HttpSession, on_call: OnCall | None
    ) -> None:
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._streams = streams
        self._on_call = on_call
        self._at_once = at_once(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="engine")
        self._free = asyncio.Semaphore(self._at_once)
        """One permit for each thread. The pool's own queue has no bound, so no call may wait in it: a call whose caller was
        cancelled would stay there, with its request body, until a thread is free."""
        self._agreed: Version | None = None
        self._agreeing = asyncio.Lock()
        self._clients: dict[Speed, APIClient] = {}

    async def version(self, *, fresh: bool = False) -> Version:
        """Returns the engine's version with the negotiated API version.

        `fresh`: asks the engine again: after a reconnect its version may differ.
        Raises: EngineUnavailable.
        """
        if self._agreed is not None and not fresh:
            return self._agreed
        async with self._agreeing:
            if self._agreed is not None and not fresh:
                return self._agreed
            answer = await self.on_loop("/version", Version)
            negotiated = agree(answer.api_version, answer.min_api_version)
            if self._agreed is None or self._agreed.negotiated != negotiated:
                self._clients = {
                    "answer": self._client(negotiated, "answer"),
                    "work": self._client(negotiated, "work"),
                }
            self._agreed = msgspec.structs.replace(answer, negotiated=negotiated)
            return self._agreed

    async def path(self, path: str) -> str:
        """Returns `path` below the negotiated API version. Raises: EngineUnavailable."""
        return f"/v{(await self.version()).negotiated}{path}"

    async def on_loop(self, path: str, model: type[T]) -> T:
        """Gets `path` on the event loop, so that health checks do not wait for a thread. Raises: EngineUnavailable."""
        started = time.perf_counter()
        ok = False
        try:
            async with self._streams.open("GET", path, silence_s=self._timeouts.connect_s) as body:
                answer = msgspec.json.decode(await body.read(SMALL_ANSWER), type=model)
            ok = True
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(
                f"the answer of {self._endpoint.url}{path} is not a Docker Engine's: {error}"
            ) from error
        except Refusal as error:
            raise EngineUnavailable(f"{self._endpoint.url}{path}: {error}", answered=True) from error
        finally:
            self.measured(path.rpartition("/")[2], started, ok)
        return answer

    async def inspected(self, name: str, call: Callable[[APIClient], object], model: type[T]) -> T | None:
        """Returns the answer of `call` as this type; None for a 404. Raises: EngineUnavailable."""
        found = await self.found(name, call)
        return None if found is None else msgspec.convert(found, model)

    async def found(self, name: str, call: Callable[[APIClient], object]) -> object | None:
        """Returns the answer of `call`; None for a 404. Raises: EngineUnavailable, also for any other refusal."""
        try:
            return await self.in_thread(name, call)
        except Refusal as error:
            if error.status == 404:
                return None
            raise port_error("inspect", error) from error

    async def in_thread(self, name: str, call: Callable[[APIClient], T], speed: Speed = "answer") -> T:
        """Returns the answer of `call`, within the limit of its `speed`. Raises: Refusal, ServerError, EngineUnavailable."""
        await self.version()
        client = self._clients[speed]
        limit_s = self._limit_s(speed)
        started = time.perf_counter()
        ok = False
        try:
            # The client's own limit is shorter; this limit also covers the wait for a thread.
            async with asyncio.timeout(limit_s + self._timeouts.connect_s):
                await self._free.acquire()
                try:
                    under_way = asyncio.get_running_loop().run_in_executor(
                        self._threads, translated, call, client
                    )
                except RuntimeError as error:
                    self._free.release()
                    raise EngineUnavailable(
                        "jobd is stopping and makes no more calls to the engine"
                    ) from error
                under_way.add_done_callback(self._freed)
                # After a cancel the thread still works: its permit is released when the thread is free.
                result = await asyncio.shield(under_way)
            ok = True
            return result
        except TimeoutError as error:
            raise EngineUnavailable(f"the engine did not answer {name} within {limit_s:g} s") from error
        except Refusal:
            ok = True  # the engine answered
            raise
        finally:
            self.measured(name, started, ok)

    def measured(self, name: str, started: float, ok: bool) -> None:
        """Reports a call that began at `started` (`time.perf_counter`)."""
        if self._on_call is not None:
            self._on_call(name, time.perf_counter() - started, ok)

    def close(self) -> None:
        """Closes connections and threads; calls in progress end within their limits."""
        for client in self._clients.values():
            client.close()
        self._clients = {}
        self._agreed = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _freed(self, ended: asyncio.Future[Any]) -> None:
        self._free.release()
        if not ended.cancelled():
            ended.exception()  # a cancelled caller does not retrieve the exception

    def _limit_s(self, speed: Speed) -> float:
        return self._timeouts.answer_s if speed == "answer" else self._timeouts.work_s

    def _client(self, version: str, speed: Speed) -> APIClient:
        return client_for(self._endpoint, version, self._limit_s(speed), self._at_once)


def at_once(descriptors: int) -> int:
    """Returns the number of concurrent calls for this limit of file descriptors (-1: no limit).

    Each call keeps a connection: with few descriptors, these connections must leave some free.
    """
    return _THREADS if descriptors < 0 else max(2, min(_THREADS, descriptors // 8))
