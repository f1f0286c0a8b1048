"""A closed port is the test's own: it refuses connections, and its server can listen there."""

import socket
import subprocess
import sys

import pytest

from tests.support.ports import closed_port

ALL_PORTS = """
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(200)]
print(*(one.getsockname()[1] for one in taken))
"""


def test_a_closed_port_is_refused_and_kept_for_its_server() -> None:
    with closed_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
        others = subprocess.run([sys.executable, "-c", ALL_PORTS], capture_output=True, text=True, check=True)
        assert str(port) not in others.stdout.split()
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
