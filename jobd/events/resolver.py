"""Names to addresses for callbacks: `host.docker.internal` means this machine, and the egress policy sees every result.

Owns its threads, so that a name server that does not answer holds up callbacks alone, and not for longer than a bound.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from jobd.events.egress import EgressPolicy, EgressRefused

HOST_ALIAS = "host.docker.internal"
RESOLVE_TIMEOUT_S = 5.0
THREADS = 16
MAX_ADDRESSES = 16


class EgressResolver(AbstractResolver):
    """Resolves for aiohttp. `gateway` is the engine's bridge address, tried after loopback for the alias."""

    def __init__(
        self, policy: EgressPolicy, gateway: str | None = None, timeout_s: float = RESOLVE_TIMEOUT_S
    ) -> None:
        self._policy = policy
        self._aliases = ["127.0.0.1", *([gateway] if gateway else [])]
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Returns the allowed addresses of `host`, at most 16.

        Raises:
            EgressRefused: there are addresses and the policy forbids them all.
            OSError: the name has none, or the name server did not answer in time.
        """
        if host.lower().rstrip(".") == HOST_ALIAS:
            ips = self._aliases
        else:
            ips = await self._look_up(host, port, family)
        refusals = {ip: self._policy.refusal(ip, port) for ip in ips[:MAX_ADDRESSES]}
        allowed = [ip for ip, why in refusals.items() if why is None]
        if not allowed:
            whys = ", ".join(sorted({why for why in refusals.values() if why}))
            raise EgressRefused(f"refused by the egress policy: {whys}")
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for ip in allowed
        ]

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await loop.run_in_executor(
                    self._pool,
                    lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM),
                )
        except TimeoutError:
            raise OSError("the name server did not answer in time") from None
        except UnicodeError as error:
            raise OSError("not a host name") from error
        ips = [str(entry[4][0]) for entry in found]
        if not ips:
            raise OSError("the name has no address")
        return list(dict.fromkeys(ips))

    async def close(self) -> None:
        """Lets go of the threads; one that waits for a name server ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
