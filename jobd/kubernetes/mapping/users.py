"""The user of a worker: what of a spec's `user` Kubernetes takes. Pure."""

import re

_NUMERIC = re.compile(r"(?P<uid>[0-9]{1,10})(?::(?P<gid>[0-9]{1,10}))?\Z")


def ids_of(user: str | None) -> tuple[int, int | None] | None:
    """Returns the uid and gid of `uid[:gid]`; None for a name, which only the image knows, and for the image's own user."""
    found = _NUMERIC.match(user or "")
    if found is None:
        return None
    return int(found["uid"]), None if found["gid"] is None else int(found["gid"])
