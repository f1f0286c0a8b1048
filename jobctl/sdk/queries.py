"""The query of a list of jobs. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from jobctl.errors import Misuse
from jobctl.selection.listing import STATUSES


def list_query(
    status: str | Sequence[str] | None,
    labels: Mapping[str, str] | None,
    set_id: str | None,
    prefix: str | None,
    owner: str | None,
    since: datetime | None,
) -> dict[str, object]:
    """Returns the query. Raises Misuse: a status is unknown, a label has no name, or a time has no zone."""
    statuses = [status] if isinstance(status, str) else list(status or ())
    for name in statuses:
        if name not in STATUSES:
            raise Misuse(f"status: {name!r} is not a status", hint=f"use one of {', '.join(STATUSES)}")
    if since is not None and since.tzinfo is None:
        raise Misuse("since: the time has no zone", hint="for instance datetime.now(UTC)")
    return {
        "status": ",".join(statuses) or None,
        "label": [f"{name}={value}" for name, value in (labels or {}).items()] or None,
        "set": set_id,
        "prefix": prefix,
        "owner": owner,
        "since": None if since is None else since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
