"""Translates urllib3's errors, into failures with and without a retry.

A URL may contain a secret (a presigned URL, a password) and urllib3's texts contain the URL, so no text of urllib3 is used.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from urllib3 import exceptions as trouble

from sidecar.errors import ArtifactError


class HttpFailure(ArtifactError):
    """The request failed. `status`: that of the last answer; None: there was no answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RetryableFailure(Exception):
    """This try failed, and a retry may succeed. `after_s`: the delay that the server requests."""

    def __init__(self, why: str, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(why)
        self.status, self.after_s = status, after_s


@contextmanager
def translated() -> Iterator[None]:
    """Translates urllib3's errors inside the block."""
    try:
        yield
    except trouble.NameResolutionError:
        raise RetryableFailure("the host's name cannot be resolved") from None
    except trouble.NewConnectionError as error:
        raise RetryableFailure(f"no connection ({_system_text(error)})") from None
    except trouble.ConnectTimeoutError:
        raise RetryableFailure("the host did not accept a connection in time") from None
    except (trouble.ReadTimeoutError, TimeoutError):
        raise RetryableFailure("the server stopped sending or taking data") from None
    except (trouble.SSLError, ssl.SSLError) as error:
        words = _tls_text(error)
        if "certificate" in words:
            raise HttpFailure(f"TLS failed ({words})") from None
        raise RetryableFailure(f"TLS failed ({words})") from None
    except trouble.LocationValueError:
        raise HttpFailure("the URL cannot be used") from None
    except trouble.ProtocolError as error:
        inner = error.args[-1] if error.args else None
        if isinstance(inner, trouble.IncompleteRead):
            raise RetryableFailure(f"the connection ended {inner.expected} bytes early") from None
        raise RetryableFailure(f"the connection broke ({_system_text(error)})") from None
    except trouble.HTTPError as error:
        raise RetryableFailure(f"the request failed ({type(error).__name__})") from None
    except ValueError as error:
        raise HttpFailure(f"the URL or the answer cannot be used ({type(error).__name__})") from None
    except OSError as error:
        raise RetryableFailure(f"the connection broke ({_system_text(error)})") from None


def _system_text(error: BaseException) -> str:
    """Returns the system's text for the underlying OSError, or the error's class; never the error's own text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, trouble.HTTPError):
            return seen.strerror
        seen = (
            next((a for a in seen.args if isinstance(a, BaseException)), None)
            or seen.__cause__
            or seen.__context__
        )
    return type(error).__name__


def _tls_text(error: BaseException) -> str:
    inner = next((a for a in error.args if isinstance(a, ssl.SSLError)), error)
    reason = getattr(inner, "reason", None)
    detail = getattr(inner, "verify_message", None)
    words = str(reason).replace("_", " ").lower() if isinstance(reason, str) else "handshake failed"
    return f"{words}: {detail}" if detail else words
