"""TLS for the API's TCP port: jobd reads the operator's certificate and key at the start, and again on SIGHUP.

Owns the reading of the files, and its errors. `settings/config.py` decides which addresses need TLS, `api/access.py` which
requests are allowed.
"""

import ssl
import stat
from pathlib import Path

from jobd.errors import ConfigError

HANDSHAKE_LIMIT_S = 10.0
_MISMATCHES = ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""What OpenSSL calls a certificate with another key of the same kind, and of another kind."""


class ListenerTls:
    """The TLS of a listener, whose certificate can be replaced: each handshake uses the newest one."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._newest = context
        # Loading another certificate into this context would leave the old one in it if their keys are of different types.
        context.sni_callback = self._choose

    def replace(self, context: ssl.SSLContext) -> None:
        """New connections use the certificate of `context`."""
        self._newest = context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Returns the context for a certificate (with its chain, if clients need the chain) and its key, both PEM.

    TLS 1.2 and newer, with Python's default ciphers.

    Raises:
        ConfigError: a file cannot be read or used, certificate and key do not match, or others may read the key.
    """
    _check_private(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        why = "do not match" if error.reason in _MISMATCHES else "are not a PEM certificate and key"
        raise ConfigError([f"TLS_CERT_FILE: {cert} and {key} {why}"]) from None
    except OSError as error:
        raise ConfigError([f"TLS_CERT_FILE: {cert}: {error.strerror or error}"]) from None
    except _Encrypted:
        raise ConfigError(
            [f"TLS_KEY_FILE: {key} is encrypted; jobd needs a key without a password"]
        ) from None
    return context


def _check_private(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ConfigError([f"TLS_KEY_FILE: {key}: {error.strerror}"]) from None
    if stat.S_IMODE(mode) & 0o007:
        raise ConfigError([f"TLS_KEY_FILE: any user can read {key}; run: chmod o= {key}"])


class _Encrypted(Exception):
    """The key is encrypted."""


def _no_password() -> str:
    raise _Encrypted
