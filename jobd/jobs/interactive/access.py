"""Which clients may attach to a job that mounts files with its caller's rights. Pure.

Such a job's command has the rights of the user who submitted it: who feeds it, or runs a command beside it, has them too.
"""

from jobd.errors import Forbidden
from jobd.jobs.mounts.rights import ROOT
from jobd.jobs.record.parts import Caller
from jobd.jobs.record.record import Record


def check_client(record: Record, client: Caller | None) -> None:
    """Raises Forbidden: the job mounts files with the rights of another user. `client` None: the request came over TCP."""
    owner = record.caller
    if owner is None or (client is not None and client.uid in (ROOT, owner.uid)):
        return
    raise Forbidden(
        f"job {record.id!r} mounts files with the rights of the user {owner.uid}: only that user and root, over the Unix socket, may attach"
        " to it or run commands in it",
        code="not-the-caller",
    )


def check_user(record: Record, client: Caller | None, user: str | None) -> None:
    """Raises Forbidden: a command beside the job's own would run as another user than the job's, with the job's mounts."""
    if record.caller is None or user is None or (client is not None and client.uid == ROOT):
        return
    raise Forbidden(
        f"job {record.id!r} mounts files with the rights of the user {record.caller.uid}: its commands run as that user; leave the user out",
        code="not-the-caller",
    )
