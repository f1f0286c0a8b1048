"""Notifies systemd that jobd is ready, stopping or alive. Does nothing without systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """The socket in `NOTIFY_SOCKET`, if any. Sending never raises, even if the service manager is gone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watchdog_us = environ.get("WATCHDOG_USEC", "")
        is_own_pid = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdecimal() and is_own_pid else None

    def ready(self) -> None:
        """Reports that jobd serves requests."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Reports that jobd reads its settings again; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Reports that the shutdown has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Reports that the event loop runs."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(1.0)
                sock.connect(address)
                sock.sendall(message.encode())
        except OSError:
            return
