"""Connections to receivers: opened to addresses that the egress policy allows, kept for the next request, closed when idle.

Owns the sockets. The policy checks every address right before `connect`, whatever name led to it. Knows no HTTP
(`connection.py`) and nothing of events.

Source: RFC 8305 (addresses of both families are tried in turn); RFC 9110, 4.3.4 (certificates).
"""

import asyncio
import socket
import ssl
from functools import cache
from typing import NamedTuple

import aiohappyeyeballs

from jobd.events.http.connection import BUFFER_BYTES, Connection
from jobd.events.http.egress import EgressPolicy
from jobd.events.http.resolver import EgressResolver

IDLE_S = 15.0
NEXT_ADDRESS_S = 0.25
"""After this time without an answer, jobd tries the next address too."""

_AddressInfo = tuple[int, int, int, str, tuple[str, int]]


class Origin(NamedTuple):
    """Requests to the same origin share connections. `host`: a name or an address, without brackets."""

    tls: bool
    host: str
    port: int


class Connections:
    """The connections of one sender, at most `most` at once; `most` must be at least the sender's requests at once. Made within a
    running loop.
    """

    def __init__(self, policy: EgressPolicy, most: int, gateway: str | None = None) -> None:
        self._policy = policy
        self._resolver = EgressResolver(policy, gateway)
        self._most = most
        self._buffer = bytearray(BUFFER_BYTES)
        self._open = 0
        self._idle: dict[Origin, list[Connection]] = {}
        self._in_use: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def take(self, origin: Origin) -> Connection | None:
        """Returns the open connection that was used last, if any."""
        while origin in self._idle:
            connection = self._pop_idle(origin, -1)
            if connection.reusable:
                self._in_use.add(connection)
                return connection
            self._open -= 1
        return None

    def _pop_idle(self, origin: Origin, place: int) -> Connection:
        """Removes an idle connection, and an origin without connections."""
        idle = self._idle[origin]
        connection = idle.pop(place)
        if not idle:
            del self._idle[origin]
        return connection

    async def open(self, origin: Origin) -> Connection:
        """Opens a connection. Bound it with a timeout.

        Raises:
            EgressRefused: the policy forbids all addresses of the host.
            OSError: the host has no address, or no address accepts a connection; `ssl.SSLError` is an OSError.
        """
        addresses = await self._resolver.resolve(origin.host, origin.port)
        if self._open >= self._most:
            self._close_longest_idle()
        self._open += 1
        try:
            connection = await self._connect(origin, addresses)
        except BaseException:
            self._open -= 1
            raise
        self._in_use.add(connection)
        return connection

    async def _connect(self, origin: Origin, addresses: list[str]) -> Connection:
        infos = [_address_info(address, origin.port) for address in addresses]
        sock = await aiohappyeyeballs.start_connection(
            infos, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, socket_factory=self._socket
        )
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._buffer),
                sock=sock,
                ssl=_trusting() if origin.tls else None,
                server_hostname=origin.host.rstrip(".") if origin.tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection

    def _socket(self, info: _AddressInfo) -> socket.socket:
        # The last check before connect(): covers every address, from names, literals and odd spellings.
        family, kind, protocol, _, address = info
        self._policy.check(address[0], address[1])
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        return sock

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Ends the use of a connection from `take` or `open`. Keeps a reusable connection, closes any other."""
        self._in_use.discard(connection)
        if not connection.reusable:
            connection.close()
            self._open -= 1
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        for origin, idle in list(self._idle.items()):
            staying = [one for one in idle if one.reusable and now - one.idle_since < IDLE_S]
            for one in idle:
                if one not in staying:
                    one.close()
                    self._open -= 1
            if staying:
                self._idle[origin] = staying
            else:
                del self._idle[origin]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_S / 3, self._sweep)

    def _close_longest_idle(self) -> None:
        origin = min(self._idle, key=lambda one: self._idle[one][0].idle_since, default=None)
        if origin is not None:
            self._pop_idle(origin, 0).close()
            self._open -= 1

    async def close(self) -> None:
        """Closes all connections; requests under way get no answer. Safe to repeat."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
                self._open -= 1
        self._idle.clear()
        for connection in list(self._in_use):
            connection.close()
        await self._resolver.close()


def _address_info(address: str, port: int) -> _AddressInfo:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))


@cache
def _trusting() -> ssl.SSLContext:
    """Returns a context with the system's certificates; created once, since creation is slow."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
