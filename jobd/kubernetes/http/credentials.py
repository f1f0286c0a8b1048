"""The credentials of requests: the TLS context, and a token that is read or asked for again before it expires.

Owns what is cached, and for how long. `kubeconfig.py` says where credentials come from.

Source: Kubernetes documentation, "Authenticating" (client-go credential plugins).
"""

import asyncio
import json
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobd.clock import Clock
from jobd.jobs.port.errors import EngineUnavailable
from jobd.kubernetes.http.kubeconfig import Access, Exec

FILE_AGE_S = 60.0
"""A token file is read again after this time: the kubelet renews the file well before the token expires."""
EXPIRY_MARGIN = timedelta(seconds=30)
EXEC_S = 60.0
_EXEC_BYTES = 1 << 20


class Credentials:
    """The credentials of one `Access`. `renew` forgets a token that the API server has refused."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._token: str | None = access.token
        self._read_at: float | None = None
        self._expires: datetime | None = None
        self._certificate: tuple[str, str] | None = None
        self._lock = asyncio.Lock()

    async def tls(self) -> ssl.SSLContext | None:
        """Returns a new TLS context; None without TLS. Raises EngineUnavailable: a file cannot be read, or is not PEM."""
        if not self._access.server.startswith("https://"):
            return None
        if self._access.exec is not None:
            await self.token()  # the program may print a client certificate
        try:
            return await asyncio.to_thread(self._context)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise EngineUnavailable(f"the cluster's certificates cannot be used: {error}") from error

    def _context(self) -> ssl.SSLContext:
        access = self._access
        context = ssl.create_default_context(cadata=access.ca.read() if access.ca else None)
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        pair = self._certificate
        if pair is None and access.certificate and access.key:
            pair = access.certificate.read(), access.key.read()
        if pair is not None:
            # The ssl module loads a key from a file alone.
            with tempfile.TemporaryDirectory(prefix="jobd-") as folder:
                path = Path(folder) / "client.pem"
                path.touch(mode=0o600)
                path.write_text("\n".join(pair))
                context.load_cert_chain(path)
        return context

    async def token(self) -> str | None:
        """Returns the token of the next request; None if a client certificate authenticates. Raises EngineUnavailable."""
        access = self._access
        if access.token_file is None and access.exec is None:
            return self._token
        async with self._lock:
            if not self._is_fresh():
                if access.exec is not None:
                    await self._ask(access.exec)
                elif access.token_file is not None:
                    try:
                        self._token = (await asyncio.to_thread(access.token_file.read_text)).strip()
                    except OSError as error:
                        raise EngineUnavailable(f"{access.token_file}: {error.strerror}") from error
                self._read_at = self._clock.monotonic()
            return self._token

    def renew(self) -> None:
        """The API server has refused the token: the next request reads or asks for it again."""
        self._read_at = self._expires = None

    def _is_fresh(self) -> bool:
        if self._read_at is None:
            return False
        if self._access.exec is not None:
            return self._expires is None or self._clock.now() < self._expires - EXPIRY_MARGIN
        return self._clock.monotonic() - self._read_at < FILE_AGE_S

    async def _ask(self, plugin: Exec) -> None:
        """Runs the program of an exec plugin."""
        command = plugin.command
        if "/" in command:
            command = str(plugin.folder / command)
        info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        environ = {**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *plugin.arguments,
                env=environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                limit=_EXEC_BYTES,
            )
        except OSError as error:
            raise EngineUnavailable(
                f"the kubeconfig's {plugin.command} does not run: {error.strerror}"
            ) from error
        try:
            async with asyncio.timeout(EXEC_S):
                output, _ = await process.communicate()
        except TimeoutError:
            raise EngineUnavailable(f"the kubeconfig's {plugin.command} took over {EXEC_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise EngineUnavailable(f"the kubeconfig's {plugin.command} ended with code {process.returncode}")
        try:
            status = json.loads(output)["status"]
            expires = status.get("expirationTimestamp")
            self._token = status.get("token")
            self._expires = None if expires is None else datetime.fromisoformat(expires).astimezone(UTC)
            if status.get("clientCertificateData") and status.get("clientKeyData"):
                self._certificate = status["clientCertificateData"], status["clientKeyData"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EngineUnavailable(f"the kubeconfig's {plugin.command} printed no ExecCredential") from None
