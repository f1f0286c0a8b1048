"""What was measured, and on which machine: for readers of a report from another day."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import docker
import requests

from jobd.jobs.port.errors import EngineError
from scripts.daemon import ROOT
from scripts.engine_client import connect


def machine() -> dict[str, object]:
    """Returns the facts of the machine and its engine."""
    return {
        "cpus": os.cpu_count(),
        "cpu": _first(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo")),
        "memory_kib": int(_first(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo")) or 0),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": _engine(),
    }


def commit() -> dict[str, object]:
    """Returns the commit, whether files differ from the commit, and the present time."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _first(pattern: str, file: Path) -> str | None:
    try:
        found = re.search(pattern, file.read_text(), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def _engine() -> dict[str, object] | None:
    """Returns the engine's version and storage driver; None if no engine responds."""
    try:
        client = connect(10)
    except (docker.errors.DockerException, requests.RequestException, EngineError):
        return None
    try:
        info = client.info()
    finally:
        client.close()
    return {"version": info.get("ServerVersion"), "storage": info.get("Driver")}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
