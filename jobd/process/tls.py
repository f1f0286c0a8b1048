"""TLS for the API's TCP port: the operator's certificate and key are read once, at the start.

Owns how the files are read, and the errors about files that cannot be used. `settings/config.py` decides which addresses need TLS,
`api/middleware.py` which requests are let in.
"""

import ssl
import stat
from pathlib import Path

from jobd.errors import ConfigError

HANDSHAKE_LIMIT_S = 10.0


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Returns the context for a certificate (with its chain, where clients need that) and its key, both PEM.

    TLS 1.2 and newer, with the ciphers that Python's own defaults allow.

    Raises:
        ConfigError: a file cannot be read or used, the two do not belong together, or others may read the key.
    """
    _check_private(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        why = (
            "do not belong together"
            if error.reason == "KEY_VALUES_MISMATCH"
            else "are no PEM certificate and key"
        )
        raise ConfigError([f"TLS_CERT_FILE: {cert} and {key} {why}"]) from None
    except OSError as error:
        raise ConfigError([f"TLS_CERT_FILE: {cert}: {error.strerror or error}"]) from None
    except _Encrypted:
        raise ConfigError(
            [f"TLS_KEY_FILE: {key} is encrypted; a daemon has nobody to ask for its password"]
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
    """The key asks for a password."""


def _no_password() -> str:
    raise _Encrypted
