"""urllib3's errors in words of our own, told apart by whether another try is worth it.

A URL may be a secret (presigned, or with a password) and urllib3's texts quote it, so none of them ever gets out.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from urllib3 import exceptions as trouble

from sidecar.errors import ArtifactError


class HttpFailure(ArtifactError):
    """The request failed for good. `status` is the last answer's, None where there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class WorthAnotherTry(Exception):
    """This try failed. `after_s`: how long the server asked to wait."""

    def __init__(self, why: str, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(why)
        self.status, self.after_s = status, after_s


@contextmanager
def translated() -> Iterator[None]:
    """Turns urllib3's errors into ours, in words of our own: its texts quote the URL."""
    try:
        yield
    except trouble.NameResolutionError:
        raise WorthAnotherTry("the host's name cannot be resolved") from None
    except trouble.NewConnectionError as error:
        raise WorthAnotherTry(f"no connection ({_system_words(error)})") from None
    except trouble.ConnectTimeoutError:
        raise WorthAnotherTry("the host did not accept a connection in time") from None
    except (trouble.ReadTimeoutError, TimeoutError):
        raise WorthAnotherTry("the server stopped sending or taking data") from None
    except (trouble.SSLError, ssl.SSLError) as error:
        words = _tls_words(error)
        if "certificate" in words:
            raise HttpFailure(f"TLS failed ({words})") from None
        raise WorthAnotherTry(f"TLS failed ({words})") from None
    except trouble.LocationValueError:
        raise HttpFailure("the URL cannot be used") from None
    except trouble.ProtocolError as error:
        inner = error.args[-1] if error.args else None
        if isinstance(inner, trouble.IncompleteRead):
            raise WorthAnotherTry(f"the connection ended {inner.expected} bytes early") from None
        raise WorthAnotherTry(f"the connection broke ({_system_words(error)})") from None
    except trouble.HTTPError as error:
        raise WorthAnotherTry(f"the request failed ({type(error).__name__})") from None
    except ValueError as error:
        raise HttpFailure(f"the URL or the answer cannot be used ({type(error).__name__})") from None
    except OSError as error:
        raise WorthAnotherTry(f"the connection broke ({_system_words(error)})") from None


def _system_words(error: BaseException) -> str:
    """Returns the system's own words for the error that lies below, or the error's class: never its text."""
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


def _tls_words(error: BaseException) -> str:
    inner = next((a for a in error.args if isinstance(a, ssl.SSLError)), error)
    reason = getattr(inner, "reason", None)
    detail = getattr(inner, "verify_message", None)
    words = str(reason).replace("_", " ").lower() if isinstance(reason, str) else "handshake failed"
    return f"{words}: {detail}" if detail else words
