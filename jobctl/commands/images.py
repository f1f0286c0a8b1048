"""`jobctl __images`: the images of recent jobs, for completion scripts.

The daemon is asked once, for one page of its list. Somebody waits at a prompt: what is not there soon is left out, without a word.
"""

import json
import re
import threading
from typing import TYPE_CHECKING

import typer

from jobctl.connection.session import of
from jobctl.errors import JobctlError
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS: tuple[str, ...] = ()
MOST_JOBS = 100
MOST_READ_BYTES = 16 << 20
LONGEST_S = 2.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}")
"""References of images are made of these. A shell puts the word on the command line as it is: no character may mean something there."""


def images(ctx: typer.Context) -> None:
    """Print the images of the newest jobs, a line each, the latest first; nothing where they cannot be known soon."""
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(names(listed(of(ctx).client())))
        except (JobctlError, ValueError, RecursionError):
            pass  # nobody reads an error here

    asking = threading.Thread(
        target=ask, daemon=True
    )  # a name server or a daemon that hangs is not waited for
    asking.start()
    asking.join(LONGEST_S)
    output.text("".join(f"{name}\n" for name in list(found)))


def listed(client: "Client") -> object:
    """Returns the daemon's answer about its newest jobs. Raises JobctlError; ValueError, RecursionError: it is no JSON."""
    from jobctl.connection.client import read_all

    with client.open("GET", "/v1/jobs", {"limit": MOST_JOBS}) as response:
        return json.loads(read_all(response, MOST_READ_BYTES))


def names(answer: object) -> list[str]:
    """Returns the distinct images in a list of jobs, in its order; what is no reference of an image is left out. Pure."""
    jobs = answer.get("jobs") if isinstance(answer, dict) else None
    given = [job.get("image") for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
    return list(dict.fromkeys(name for name in given if isinstance(name, str) and _NAME.fullmatch(name)))
