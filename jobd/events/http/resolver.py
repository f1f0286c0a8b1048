"""Names to addresses for callbacks: the host alias means this machine, and the egress policy checks every result.

Owns its threads: a name server that does not answer delays only callbacks, each for a bounded time.
"""

import asyncio
import contextlib
import errno
import socket
from concurrent.futures import Future, ThreadPoolExecutor

from jobd.events.http.egress import EgressPolicy, EgressRefused
from jobd.wire.host_alias import HOST_ALIAS

RESOLVE_TIMEOUT_S = 5.0
THREADS = 16
MAX_ADDRESSES = 16
"""Addresses of one name; more are neither tried nor kept."""
KEPT_S = 10.0
MAX_KEPT = 1000


class EgressResolver:
    """Resolves names. `gateway` is the engine's bridge address, tried after loopback for the alias. A name server's answer is kept
    for `KEPT_S`; the policy is checked each time.
    """

    def __init__(
        self, policy: EgressPolicy, gateway: str | None = None, timeout_s: float = RESOLVE_TIMEOUT_S
    ) -> None:
        self._policy = policy
        self._aliases = ["127.0.0.1", *([gateway] if gateway else [])]
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")
        self._threads = asyncio.Semaphore(THREADS)
        self._kept: dict[str, tuple[float, list[str]]] = {}

    async def resolve(self, host: str, port: int) -> list[str]:
        """Returns the allowed IP addresses of `host`, a name or an address, at most 16.

        Raises:
            EgressRefused: the policy forbids all addresses.
            OSError: the name has no address, or the name server did not answer in time.
        """
        if host.lower().rstrip(".") == HOST_ALIAS:
            ips = self._aliases
        else:
            ips = await self._look_up(host)
        refusals = {ip: self._policy.refusal(ip, port) for ip in ips}
        allowed = [ip for ip, why in refusals.items() if why is None]
        if not allowed:
            whys = ", ".join(sorted({why for why in refusals.values() if why}))
            raise EgressRefused(f"refused by the egress policy: {whys}")
        return allowed

    async def _look_up(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        until, ips = self._kept.get(host, (0.0, []))
        if loop.time() < until:
            return ips
        try:
            async with asyncio.timeout(self._timeout_s):
                ips = await self._ask(host)
        except TimeoutError:
            raise OSError("the name server did not answer in time") from None
        except UnicodeError as error:
            raise OSError("not a host name") from error
        if not ips:
            raise OSError("the name has no address")
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[host] = (loop.time() + KEPT_S, ips)
        return ips

    async def _ask(self, host: str) -> list[str]:
        """Queries a name server once a thread is free: a query in the pool's queue would outlive its caller."""
        await self._threads.acquire()
        loop = asyncio.get_running_loop()

        def free(_: Future[list[str]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: jobd ends
                loop.call_soon_threadsafe(self._threads.release)

        try:
            query = self._pool.submit(_addresses, host)
        except RuntimeError as error:  # no thread can be started
            self._threads.release()
            raise OSError(errno.EAGAIN, "no thread can be started to query a name server") from error
        query.add_done_callback(free)
        return await asyncio.wrap_future(query)

    async def close(self) -> None:
        """Ends the threads; a thread that waits for a name server ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
