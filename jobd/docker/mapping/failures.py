"""Classifies the engine's error answers by the rows of `error_table.py`. Pure.

Owns the message for the user: the engine's text without the runtime's prefixes, the command and the workspace in it, cut to a bounded length.
"""

import re
from dataclasses import dataclass

from jobd.docker.mapping.error_table import ROWS, Call, Meaning

_LAYERS = re.compile(
    r"(failed to create (shim )?task( for container)?|oci runtime (create|start|pause|resume) failed|runc (create|start|run) failed"
    r"|unable to start container process|error during container init|error response from daemon"
    r"|container_linux\.go:\d+|process_linux\.go:\d+|starting container process caused|cannot (start service|(un)?pause container) \S+): ",
    re.IGNORECASE,
)
_COMMAND = re.compile(r'exec: ("(?:[^"\\]|\\.)*")')
_TAIL = re.compile(r": unknown(: Are you trying to mount.*)?$", re.DOTALL)
_STORE_PATH = re.compile(r"/\S*/(?:merged|rootfs|_data)(?=/)")
LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """The classification of one answer. `row` is the name of the matching row."""

    meaning: Meaning
    words: str
    remedy: str
    row: str
    exit_code: int = 128


def failure(call: Call, status: int, message: str, *, workspace: str = "") -> Failure:
    """Classifies an answer to this call. An error inside a stream has `status` 500."""
    lowered = message.lower()
    row = next(row for row in ROWS if row.fits(call, status, lowered))
    command = _COMMAND.search(message)
    words = row.words.format(
        text=plain(message) or f"status {status}",
        workspace=repr(workspace) if workspace else "of the job",
        command=command[1] if command else "of the job",
    )
    return Failure(row.meaning, shortened(words), row.remedy, row.name, row.exit_code)


def plain(message: str) -> str:
    """Returns the engine's text without the prefixes of the runtime's layers and without paths of the engine's storage."""
    text = _TAIL.sub("", message.strip())
    return _STORE_PATH.sub("", _LAYERS.sub("", text)).strip()


def shortened(text: str) -> str:
    """Returns the text, cut in the middle if longer than `LONGEST_WORDS`: a name may have thousands of characters."""
    if len(text) <= LONGEST_WORDS:
        return text
    half = LONGEST_WORDS // 2 - 3
    return f"{text[:half]} ... {text[-half:]}"
