"""`jobctl doctor`: whether everything that a job needs is there; each failure with its remedy."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from jobctl.commands.version import engine_text, own_version
from jobctl.connection.client import Client, read_all
from jobctl.connection.config import Target, state_dir, targets
from jobctl.connection.session import Session, of
from jobctl.errors import JobctlError
from jobctl.job.engine_remedies import filled, of_engine
from jobctl.job.outcome import Outcome, Unhealthy
from jobctl.job.units import bytes_text
from jobctl.output import output
from jobctl.output.drawing import table
from jobctl.output.table import Table

FORMATS = ("table", "json", "yaml")
TABLE = Table(("STATE", "CHECK", "FOUND"), folded=True)
EXAMPLES = """
  jobctl doctor
  jobctl doctor --json | jq '.checks[] | select(.ok | not)'
"""
LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `remedy` says what helps where it is not as it should be."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


_READY_REMEDIES = {
    "engine": "start the engine",
    "disk": "free some space on the disk of the state folder",
    "store": "look at jobd's own log: journalctl --user -u jobd",
}


def doctor(ctx: typer.Context) -> Outcome | None:
    """Check daemon, engine, sidecar image, disk and key, show what jobd keeps; exit 1 where something is wrong."""
    session = of(ctx)
    checks = list(examine(session))
    healthy = all(check.ok for check in checks)
    if session.format in ("json", "yaml"):
        entries = [
            {"name": c.name, "ok": c.ok, "found": c.found, **({"remedy": c.remedy} if c.remedy else {})}
            for c in checks
        ]
        output.tree({"healthy": healthy, "checks": entries}, session.format)
    else:
        rows = [["ok" if check.ok else "FAIL", check.name, check.found] for check in checks]
        table(TABLE, rows)
        for check in checks:
            if not check.ok and check.remedy:
                output.text(f"{check.name}: {check.remedy}\n")
    return None if healthy else Unhealthy()


def examine(session: Session) -> Iterator[Check]:
    """Yields the checks in the order in which one depends on the other; without a daemon the rest is not looked at."""
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
    yield from _sidecar(version)
    yield from disk(str(version.get("stateDir") or ""), target)
    yield from _kept(client)


def _no_daemon(error: Exception) -> Check:
    if not isinstance(error, JobctlError):
        return Check(
            "daemon",
            False,
            f"its answer cannot be read: {error}",
            "is something else listening at that address?",
        )
    message, _, start = error.message.partition("; start it with: ")
    return Check(
        "daemon", False, message, f"start it with: {start}" if start else error.hint or "start it with: jobd"
    )


def same_version(own: str, daemon: str) -> Check:
    """Returns whether jobctl and jobd agree in major and minor version, as far as both are known."""
    known = own.split(".")[:2] == daemon.split(".")[:2] or "0" in (own, daemon)
    remedy = (
        ""
        if known
        else f"install the same version of both, then restart jobd: pip install --upgrade jobd=={max(own, daemon)}"
    )
    return Check("version", known, f"jobctl {own}, jobd {daemon}", remedy)


def _socket(target: Target) -> Iterator[Check]:
    if target.scheme != "unix":
        return
    try:
        mode = stat.S_IMODE(Path(target.path).stat().st_mode)
    except OSError as error:
        yield Check("socket", False, f"{target.path}: {error.strerror}", "restart jobd")
        return
    open_to_all = bool(mode & 0o007)
    remedy = f"who may use it commands the engine: chmod o-rwx {target.path}" if open_to_all else ""
    yield Check("socket", not open_to_all, f"{target.path} {mode:04o}", remedy)


def _key_files(session: Session) -> Iterator[Check]:
    """Keys that others on this machine can read are no keys."""
    named = os.environ.get("JOBCTL_API_KEY_FILE")
    files = [Path(named).expanduser()] if named else []
    files.append(state_dir(os.environ) / "api-key")
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
        yield Check("ready", False, f"/readyz: {error}", "look at jobd's own log")
        return
    for name, state in checks.items():
        ok = state == "healthy"
        yield Check(
            str(name), ok, str(state), "" if ok else remedies.get(str(name), "look at jobd's own log")
        )


def _sidecar(version: dict[str, Any]) -> Iterator[Check]:
    image, present = version.get("sidecarImage"), version.get("sidecarImagePresent")
    if not image:
        return
    if present is None:
        yield Check("sidecar image", True, f"{image} (not known yet)")
    else:
        helps = of_engine(version, "sidecar-image-missing") or ("jobs without artifacts need none",)
        remedy = "" if present else "; ".join(filled(each, {"image": image}) for each in helps)
        yield Check("sidecar image", bool(present), str(image) if present else f"{image} is missing", remedy)


def _kept(client: Client) -> Iterator[Check]:
    """Yields what jobd keeps takes; nothing where it is older than that call."""
    try:
        with client.open("GET", "/v1/disk", also=(404,)) as response:
            answer = json.loads(read_all(response, 1 << 16)) if response.status == 200 else {}
    except (JobctlError, ValueError) as error:
        yield Check("disk use", False, f"/v1/disk: {error}", "look at jobd's own log")
        return
    yield from disk_use(answer)


def disk_use(answer: dict[str, Any]) -> Iterator[Check]:
    """Yields a line for each kind of thing that jobd keeps, by what `GET /v1/disk` says."""
    if "databaseBytes" not in answer:
        return
    yield Check("database", True, f"{bytes_text(answer['databaseBytes'])} in {answer['stateDir']}")
    if answer.get("outputs") is not None:  # a daemon that is older keeps none
        kept = answer["outputs"]
        yield Check("kept outputs", True, f"{kept['count']}, {bytes_text(kept.get('bytes') or 0)}")
    for name in ("uploads", "containers", "volumes"):
        kept = answer.get(name)
        if kept is None:
            yield Check(name, True, "not known: the engine did not say")
        else:
            size = "" if kept.get("bytes") is None else f", {bytes_text(kept['bytes'])}"
            yield Check(name, True, f"{kept['count']} of jobd's{size}")


def disk(folder: str, target: Target) -> Iterator[Check]:
    """Yields how much room the state folder has, where it is on this machine."""
    if not folder or not (target.scheme == "unix" or target.host in ("localhost", "127.0.0.1", "::1")):
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    low = free < LEAST_FREE_BYTES
    remedy = (
        f"free some space there, or move it: jobd --state-dir; {bytes_text(LEAST_FREE_BYTES)} is wanted"
        if low
        else ""
    )
    yield Check("disk", not low, f"{bytes_text(free)} free in {folder}", remedy)
