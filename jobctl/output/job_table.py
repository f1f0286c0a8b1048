"""The table of jobs that `jobctl ls` prints: its columns and rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jobctl.output import output
from jobctl.output.table import Table

if TYPE_CHECKING:
    from datetime import datetime

COLUMNS = ("ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE")
OF_THE_QUEUE = {"POSITION": "queuePosition", "GROUP": "group", "SET": "set"}
"""The columns that the table has only where a job has the field; the daemon leaves out the group `default`."""
WIDE = (*COLUMNS, *OF_THE_QUEUE, "OWNER", "LABELS", "REASON", "RETRY-OF", "COMMAND")
DROP = (
    "RETRY-OF",
    "OWNER",
    "COMMAND",
    "LABELS",
    "REASON",
    "IMAGE",
    "SET",
    "GROUP",
    "AGE",
    "EXIT",
    "POSITION",
    "PHASE",
)
TEXTS = frozenset({"IMAGE", "LABELS", "REASON", "COMMAND"})
WIDE_TABLE = Table(WIDE, DROP, TEXTS)
TABLE = WIDE_TABLE.only(COLUMNS)

Job = dict[str, Any]


def table_of(jobs: Iterable[Job], *, wide: bool = False) -> Table:
    """Returns the table for these jobs: with a column of the queue only where a job has the field."""
    if wide:
        return WIDE_TABLE
    present = [name for name, field in OF_THE_QUEUE.items() if any(job.get(field) for job in jobs)]
    return WIDE_TABLE.only((*COLUMNS, *present)) if present else TABLE


def phase_text(job: Job) -> str | None:
    """Returns the phase of a job; `paused` for a job whose command stands still."""
    phase = job.get("phase")
    return "paused" if phase == "running" and job.get("paused") else phase


def row(job: Job, now: datetime, shape: Table = TABLE) -> list[str]:
    """Returns one row of the table; `-` means unknown."""
    from jobctl.units import age

    code, command = job.get("exitCode"), job.get("command")
    cells = {
        "ID": job["id"], "STATUS": job["status"], "PHASE": phase_text(job), "EXIT": None if code is None else str(code),
        "AGE": age(job.get("createdAt"), now), "IMAGE": job.get("image"),
        **{name: job.get(field) for name, field in OF_THE_QUEUE.items()}, "OWNER": job.get("owner"),
        "LABELS": output.labels(job.get("labels") or {}), "REASON": job.get("reason"), "RETRY-OF": job.get("retriedFrom"),
        "COMMAND": " ".join(map(str, command)) if isinstance(command, list) else command,
    }  # fmt: skip
    return [str(cells[name] or "-") for name in shape.columns]
