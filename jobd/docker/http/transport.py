"""How a control call is made: through the SDK in a thread, or on the event loop; in time, in one API version, and measured.

Owns the threads, the negotiated version and the limits. Which calls there are is in `engine.py`. Knows nothing of jobs.

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
from jobd.docker.http.errors import Refusal, meant
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
    """One engine. Safe to use from one event loop; every call has a limit in time and a bounded number of threads.

    `on_call(name, seconds, ok)` is called after each.
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
        """A place for each thread. The pool's own queue has no bound, so nothing may wait in it: a call whose caller has given up
        would stay there, with what it was to send, until the engine answers another one."""
        self._agreed: Version | None = None
        self._agreeing = asyncio.Lock()
        self._clients: dict[Speed, APIClient] = {}

    async def version(self, *, fresh: bool = False) -> Version:
        """Returns the engine's version and the API version spoken: the highest that both sides know.

        `fresh`: asks again, as after a reconnect, when another engine may be there.
        Raises: EngineUnavailable.
        """
        if self._agreed is not None and not fresh:
            return self._agreed
        async with self._agreeing:
            if self._agreed is not None and not fresh:
                return self._agreed
            answer = await self.on_loop("/version", Version)
            spoken = agree(answer.api_version, answer.min_api_version)
            if self._agreed is None or self._agreed.spoken != spoken:
                self._clients = {
                    "answer": self._client(spoken, "answer"),
                    "work": self._client(spoken, "work"),
                }
            self._agreed = msgspec.structs.replace(answer, spoken=spoken)
            return self._agreed

    async def path(self, path: str) -> str:
        """Returns `path` below the agreed API version. Raises: EngineUnavailable."""
        return f"/v{(await self.version()).spoken}{path}"

    async def on_loop(self, path: str, shape: type[T]) -> T:
        """Asks `path` on the event loop, so that health checks do not wait for a thread. Raises: EngineUnavailable."""
        started = time.perf_counter()
        ok = False
        try:
            async with self._streams.open("GET", path, silence_s=self._timeouts.connect_s) as body:
                answer = msgspec.json.decode(await body.read(SMALL_ANSWER), type=shape)
            ok = True
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(
                f"{self._endpoint.url}{path} gave no answer of an engine: {error}"
            ) from error
        except Refusal as error:
            raise EngineUnavailable(f"{self._endpoint.url}{path}: {error}", answered=True) from error
        finally:
            self.measured(path.rpartition("/")[2], started, ok)
        return answer

    async def inspected(self, name: str, call: Callable[[APIClient], object], shape: type[T]) -> T | None:
        """Returns the answer of `call`, in this shape; None where it does not exist. Raises: EngineUnavailable."""
        found = await self.found(name, call)
        return None if found is None else msgspec.convert(found, shape)

    async def found(self, name: str, call: Callable[[APIClient], object]) -> object | None:
        """Returns the answer of `call`; None for a 404 alone: any other refusal leaves it unknown, EngineUnavailable."""
        try:
            return await self.in_thread(name, call)
        except Refusal as error:
            if error.status == 404:
                return None
            raise meant("inspect", error) from error

    async def in_thread(self, name: str, call: Callable[[APIClient], T], speed: Speed = "answer") -> T:
        """Returns what `call` answers, within the limit of its speed. Raises: Refusal, Trouble, EngineUnavailable."""
        await self.version()
        client = self._clients[speed]
        limit_s = self._limit_s(speed)
        started = time.perf_counter()
        ok = False
        try:
            # The client's own limit comes first; this one also covers the wait for a thread.
            async with asyncio.timeout(limit_s + self._timeouts.connect_s):
                await self._free.acquire()
                try:
                    under_way = asyncio.get_running_loop().run_in_executor(
                        self._threads, translated, call, client
                    )
                except RuntimeError as error:
                    self._free.release()
                    raise EngineUnavailable("jobd makes no calls to the engine any more") from error
                under_way.add_done_callback(self._freed)
                # A caller that gives up leaves the thread at work: its place is free when the thread is.
                result = await asyncio.shield(under_way)
            ok = True
            return result
        except TimeoutError as error:
            raise EngineUnavailable(f"the engine did not answer to {name} within {limit_s:g} s") from error
        except Refusal:
            ok = True  # an answer, if not the one hoped for
            raise
        finally:
            self.measured(name, started, ok)

    def measured(self, name: str, started: float, ok: bool) -> None:
        """A call that began at `started`, of `time.perf_counter`, is over."""
        if self._on_call is not None:
            self._on_call(name, time.perf_counter() - started, ok)

    def close(self) -> None:
        """Ends connections and threads; calls under way end within their limits."""
        for client in self._clients.values():
            client.close()
        self._clients = {}
        self._agreed = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _freed(self, ended: asyncio.Future[Any]) -> None:
        self._free.release()
        if not ended.cancelled():
            ended.exception()  # where its caller is gone, nobody else asks for it

    def _limit_s(self, speed: Speed) -> float:
        return self._timeouts.answer_s if speed == "answer" else self._timeouts.work_s

    def _client(self, version: str, speed: Speed) -> APIClient:
        return client_for(self._endpoint, version, self._limit_s(speed), self._at_once)


def at_once(descriptors: int) -> int:
    """Returns how many calls may be under way at once where the process may have so many files open (-1: any number).

    Each has a connection, which is kept for the next one: of few descriptors those must not be all.
    """
    return _THREADS if descriptors < 0 else max(2, min(_THREADS, descriptors // 8))
