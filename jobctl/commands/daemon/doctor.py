"""`jobctl doctor`: checks everything that jobs need; each failure has a remedy."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobctl.commands.daemon.version import engine_text, own_version
from jobctl.connection.client import Client, read_all
from jobctl.connection.config import Target, state_dir, targets
from jobctl.connection.session import Session, session_of
from jobctl.errors import JobctlError
from jobctl.job.outcome import Outcome, ProblemsFound
from jobctl.output import output
from jobctl.output.drawing import table
from jobctl.output.explanation.engine_remedies import of_engine
from jobctl.output.table import Table
from jobctl.units import bytes_text

if TYPE_CHECKING:
    import typer

FORMATS = ("table", "json", "yaml")
TABLE = Table(("STATE", "CHECK", "RESULT"), folded=True)
EXAMPLES = """
  jobctl doctor
  jobctl doctor --json | jq '.checks[] | select(.ok | not)'
"""
LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `remedy`: what the user can do where the check failed."""

    name: str
    ok: bool
    result: str
    remedy: str = ""


_READY_REMEDIES = {
    "engine": "start the engine",
    "disk": "free some space on the disk of the state directory",
    "store": "read jobd's log: jobctl daemon logs",
}


def doctor(ctx: typer.Context) -> Outcome | None:
    """Check daemon, engine, sidecar image, disk and key, and show jobd's disk use. The exit code is 1 where a check fails."""
    session = session_of(ctx)
    checks = list(examine(session))
    healthy = all(check.ok for check in checks)
    if session.format in ("json", "yaml"):
        entries = [
            {"name": c.name, "ok": c.ok, "found": c.result, **({"remedy": c.remedy} if c.remedy else {})}
            for c in checks
        ]
        output.tree({"healthy": healthy, "checks": entries}, session.format)
    else:
        rows = [["ok" if check.ok else "FAIL", check.name, check.result] for check in checks]
        table(TABLE, rows)
        for check in checks:
            if not check.ok and check.remedy:
                output.text(f"{check.name}: {check.remedy}\n")
    return None if healthy else ProblemsFound()


def examine(session: Session) -> Iterator[Check]:
    """Yields the results of all checks. Without a daemon, the checks that need one are left out."""
    client = session.client()
    try:
        version: dict[str, Any] = json.loads(client.get("/v1/version"))
    except (JobctlError, ValueError) as error:
        yield _no_daemon(error)
        yield from _key_files(session)
        return
    target = client.target
    assert target is not None
    yield Check("daemon", True, f"jobd {version.get('version', '?')} at {target}")
    yield from _socket(target)
    yield from _key_files(session)
    yield same_version(own_version(), str(version.get("version", "?")))
    for warning in version.get("warnings") or []:
        yield Check("database", False, str(warning))
    yield from _ready(client, version)
    engine = version.get("engine") or {}
    if engine:
        yield Check("engine version", True, engine_text(engine))
    yield from about_engine(version)
    yield from about_jobs(version)
    yield from disk(str(version.get("stateDir") or ""), target)
    yield from _kept(client)


def _no_daemon(error: Exception) -> Check:
    if not isinstance(error, JobctlError):
        return Check(
            "daemon",
            False,
            f"the daemon's answer cannot be decoded: {error}",
            "check that no other program listens at that address",
        )
    message, _, start = error.message.partition("; start it with: ")
    return Check(
        "daemon", False, message, f"start it with: {start}" if start else error.hint or "jobctl daemon start"
    )


def same_version(own: str, daemon: str) -> Check:
    """Checks that jobctl and jobd have the same major and minor version, where both are known."""
    same = own.split(".")[:2] == daemon.split(".")[:2] or "0" in (own, daemon)
    remedy = (
        ""
        if same
        else f"install the same version of both, then restart jobd: pip install --upgrade jobd=={max(own, daemon)}"
    )
    return Check("version", same, f"jobctl {own}, jobd {daemon}", remedy)


def _socket(target: Target) -> Iterator[Check]:
    if target.scheme != "unix":
        return
    try:
        mode = stat.S_IMODE(Path(target.path).stat().st_mode)
    except OSError as error:
        yield Check("socket", False, f"{target.path}: {error.strerror}", "restart jobd")
        return
    open_to_all = bool(mode & 0o007)
    remedy = (
        f"every user of this socket controls the engine: chmod o-rwx {target.path}" if open_to_all else ""
    )
    yield Check("socket", not open_to_all, f"{target.path} {mode:04o}", remedy)


def _key_files(session: Session) -> Iterator[Check]:
    """Checks that other users cannot read the key files."""
    named = os.environ.get("JOBCTL_API_KEY_FILE")
    files = [Path(named).expanduser()] if named else []
    files.append(Path(state_dir(os.environ)) / "api-key")
    for path in files:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            if named and path == files[0]:
                yield Check(
                    "api key",
                    False,
                    f"{path} cannot be read",
                    "set JOBCTL_API_KEY_FILE to the file that holds the key",
                )
            continue
        bad = bool(mode & 0o077)
        yield Check("api key", not bad, f"{path} {mode:04o}", f"chmod 600 {path}" if bad else "")
    try:
        list(targets(session.host, os.environ))
    except JobctlError as error:
        yield Check("address", False, error.message, error.hint or "")


def _ready(client: Client, version: dict[str, Any]) -> Iterator[Check]:
    remedies = _READY_REMEDIES
    if helps := of_engine(version, "engine-unreachable"):
        remedies = {**remedies, "engine": "; ".join(helps)}
    try:
        with client.open("GET", "/readyz", also=(503,)) as response:
            health = json.loads(read_all(response, 1 << 16))
        checks = health.get("checks") or {}
    except (JobctlError, ValueError, AttributeError) as error:
        yield Check("ready", False, f"/readyz: {error}", "read jobd's log")
        return
    for name, state in checks.items():
        ok = state == "healthy"
        yield Check(str(name), ok, str(state), "" if ok else remedies.get(str(name), "read jobd's log"))


def about_jobs(version: dict[str, Any]) -> Iterator[Check]:
    """Yields what jobs may use together, and the sidecar's image. A daemon whose engine has not answered yet does not know the first."""
    engine = version.get("engine") or {}
    cores, memory, places = engine.get("cpus"), engine.get("memoryBytes"), version.get("maxConcurrentJobs")
    if cores and memory and places:
        has = f"{cores} core{'s' * (cores != 1)} and {bytes_text(memory)} of memory"
        yield Check("machine", True, f"{has} for jobs, at most {places} at once")
    image, present = version.get("sidecarImage"), version.get("sidecarImagePresent")
    if image:
        later = ", which jobd builds or pulls for the first job that needs it"
        note = " (not checked yet)" if present is None else "" if present else later
        yield Check("sidecar image", True, f"{image}{note}")


def about_engine(version: dict[str, Any]) -> Iterator[Check]:
    """Yields what keeps jobd from using all of its engine, and the names of what the engine does not have."""
    remedy = "; ".join(of_engine(version, "engine-problem"))
    for problem in version.get("engineProblems") or []:
        yield Check("engine", False, str(problem), remedy)
    if limits := version.get("engineLimits") or {}:
        names = ", ".join(map(str, limits))
        yield Check("limits", True, f"different on this engine: {names}; jobctl version --json says why")


def _kept(client: Client) -> Iterator[Check]:
    """Yields jobd's disk use; nothing for a daemon without that call."""
    try:
        with client.open("GET", "/v1/disk", also=(404,)) as response:
            answer = json.loads(read_all(response, 1 << 16)) if response.status == 200 else {}
    except (JobctlError, ValueError) as error:
        yield Check("disk use", False, f"/v1/disk: {error}", "read jobd's log")
        return
    yield from disk_use(answer)


def disk_use(answer: dict[str, Any]) -> Iterator[Check]:
    """Yields one result for each entry of the answer to `GET /v1/disk`."""
    if "databaseBytes" not in answer:
        return
    yield Check("database", True, f"{bytes_text(answer['databaseBytes'])} in {answer['stateDir']}")
    if answer.get("outputs") is not None:  # an older daemon has none
        kept = answer["outputs"]
        yield Check("kept outputs", True, f"{kept['count']}, {bytes_text(kept.get('bytes') or 0)}")
    for name in ("uploads", "containers", "volumes"):
        kept = answer.get(name)
        if kept is None:
            yield Check(name, True, "unknown: the engine did not report it")
        else:
            size = "" if kept.get("bytes") is None else f", {bytes_text(kept['bytes'])}"
            yield Check(name, True, f"{kept['count']}{size}")


def disk(folder: str, target: Target) -> Iterator[Check]:
    """Yields the free space of the state directory, where that is on this machine."""
    if not folder or not (target.scheme == "unix" or target.host in ("localhost", "127.0.0.1", "::1")):
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    low = free < LEAST_FREE_BYTES
    remedy = (
        f"free some space, at least {bytes_text(LEAST_FREE_BYTES)}, or use another disk: jobd --state-dir"
        if low
        else ""
    )
    yield Check("disk", not low, f"{bytes_text(free)} free in {folder}", remedy)
