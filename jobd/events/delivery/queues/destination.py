"""The destination of a callback's URL: `scheme://host:port`, the name of its queue and of its breaker. Pure."""

from urllib.parse import urlsplit

HOST_CHARACTERS = 255
"""No resolver accepts a longer host: the destination keeps only the host's first characters, so that every destination is short."""
DESTINATION_CHARACTERS = len("https://") + len("[]:65535") + HOST_CHARACTERS
_DEFAULT_PORTS = {"http": 80, "https": 443}


def destination_of(url: str) -> str:
    """Returns the destination of a callback's URL, in lower case, always with its port; at most `DESTINATION_CHARACTERS`.

    Raises:
        ValueError: the URL has no host, or no usable port.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()[:HOST_CHARACTERS]
    port = parts.port or _DEFAULT_PORTS.get(scheme)
    if not host or port is None:
        raise ValueError("not an http(s) URL with a host")
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
