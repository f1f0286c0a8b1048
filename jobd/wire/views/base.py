"""The base of the API's responses, and any error response.

Decoding ignores unknown fields, so that an older client can read a newer daemon. Times are RFC 3339 texts in UTC, durations are
seconds.
"""

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of the responses: camelCase names, defaults left out."""


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any error response. `code` is kebab-case and stable; `field` is the path of a field in the request."""

    error: str
    code: str
    field: str | None = None
