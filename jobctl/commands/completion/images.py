"""`jobctl __images`: prints the images of recent jobs for completion scripts.

Reads one page of the daemon's list. A user waits at a prompt, so errors and slow answers give an empty list.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError
from jobctl.output import output

if TYPE_CHECKING:
    import typer

    from jobctl.connection.client import Client

FORMATS: tuple[str, ...] = ()
MOST_JOBS = 100
MOST_READ_BYTES = 16 << 20
LONGEST_S = 2.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}")
"""The characters of image references. A shell inserts the word unquoted, so no character may have a meaning there."""


def images(ctx: typer.Context) -> None:
    """Print the images of the newest jobs, one a line, the latest first; nothing where the daemon does not answer soon."""
    images: list[str] = []

    def ask() -> None:
        try:
            images.extend(names(listed(session_of(ctx).client())))
        except (JobctlError, ValueError, RecursionError):
            pass  # the completion shows no errors

    asking = threading.Thread(
        target=ask, daemon=True
    )  # a hanging name server or daemon must not block the prompt
    asking.start()
    asking.join(LONGEST_S)
    output.text("".join(f"{name}\n" for name in list(images)))


def listed(client: Client) -> object:
    """Returns the daemon's newest jobs. Raises JobctlError; ValueError, RecursionError: the answer is no JSON."""
    from jobctl.connection.client import read_all

    with client.open("GET", "/v1/jobs", {"limit": MOST_JOBS}) as response:
        return json.loads(read_all(response, MOST_READ_BYTES))


def names(answer: object) -> list[str]:
    """Returns the distinct images of a list of jobs, in its order, without invalid image references. Pure."""
    jobs = answer.get("jobs") if isinstance(answer, dict) else None
    given = [job.get("image") for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
    return list(dict.fromkeys(name for name in given if isinstance(name, str) and _NAME.fullmatch(name)))
