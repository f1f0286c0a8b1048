"""Ports on which nothing listens yet, and which no other process gets meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closed_port() -> Iterator[int]:
    """Yields a port of loopback that refuses connections until a server of this test listens there.

    A bound socket that does not listen keeps the port. A server may listen there nevertheless, if it sets SO_REUSEADDR as most servers do.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
