"""The memory and the processor time of a process. Source: proc(5)."""

import os
import re
from pathlib import Path

MEGABYTE = 1_000_000


def resident_mb(pid: int) -> float:
    """Returns the resident memory in megabytes. Raises ProcessLookupError: the process has ended."""
    return _status_mb(pid, "VmRSS")


def peak_resident_mb(pid: int) -> float:
    """Returns the largest resident memory so far in megabytes. Raises ProcessLookupError: the process has ended."""
    return _status_mb(pid, "VmHWM")


def cpu_s(pid: int) -> float:
    """Returns the processor time of all threads in seconds, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int, name: str) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:  # a process that has ended, until its parent reads the exit code
        raise ProcessLookupError(pid)
    return int(found[1]) * 1024 / MEGABYTE
