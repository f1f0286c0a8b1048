"""Local outputs of jobs: what `--out PATH=LOCAL` declares to jobd, and, for a detached job, where its outputs are to go.

Owns the declaration in the spec and this user's notes of destinations: one small file a job in `$XDG_STATE_HOME/jobctl/outputs`. A
destination never leaves this machine, so that no job's submitter decides where another user's `wait` writes. How a file is fetched
is `fetch.py`.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobctl.errors import LocalFile, Misuse, NotFound, OutputMissing
from jobctl.job.transfers import Carry
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.job.plan import Plan

NOTES_KEPT_S = 90 * 86400
LONGEST_NOTE_BYTES = 1 << 20
_UID = re.compile(r"[0-9a-zA-Z]{1,64}\Z")


def declared(prepared: "Plan", *, keep: bool) -> "Plan":
    """Returns the plan whose spec names its local outputs, so that the job knows of them. `keep`: for a client that does not wait. Pure.

    Raises:
        Misuse: a detached job's output is to go to standard output.
    """
    if not prepared.fetches:
        return prepared
    given = prepared.spec.get("outputs") or []
    if not isinstance(given, list):
        raise Misuse("outputs must be a list", field="outputs")
    named = {entry.get("path"): dict(entry) for entry in given if isinstance(entry, dict)}
    for carry in prepared.fetches:
        if keep and carry.local == "-":
            raise Misuse(
                f"--out {carry.path}=- needs an attached run: nobody reads a detached one's standard output",
                hint="name a file, which jobctl fetch or jobctl wait writes when the job has ended",
            )
        entry = named.setdefault(spec_path(carry.path), {"path": spec_path(carry.path)})
        if keep:
            entry["keep"] = True
    return replace(prepared, spec={**prepared.spec, "outputs": list(named.values())})


def spec_path(path: str) -> str:
    """Returns a carried path as the spec has it: a `/` at its end says something of the local side alone."""
    return path.rstrip("/") or "."


def remember(uid: str, fetches: tuple[Carry, ...], *, fetched: bool = False) -> None:
    """Notes where the outputs of a job go, by absolute paths, and whether they have been fetched. Raises: LocalFile."""
    if not fetches or not _UID.match(uid):
        return
    folder = _folder(os.environ)
    notes = [[carry.path, _absolute(carry.local)] for carry in fetches]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _tidy(folder)
        temporary = folder / f".{uid}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"outputs": notes, "fetched": fetched}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(folder / f"{uid}.json")
    except OSError as error:
        raise LocalFile(
            f"where the outputs go cannot be noted in {folder}: {error.strerror}",
            hint="name it when they are fetched: jobctl fetch ID DIRECTORY",
        ) from None


def recall(uid: str) -> tuple[tuple[Carry, ...], bool]:
    """Returns where the outputs of a job go, as far as this user has noted it, and whether they have been fetched."""
    if not _UID.match(uid):
        return (), False
    try:
        with (_folder(os.environ) / f"{uid}.json").open("rb") as file:
            note = json.loads(file.read(LONGEST_NOTE_BYTES))
        return tuple(Carry(str(path), str(local)) for path, local in note["outputs"]), bool(note["fetched"])
    except (OSError, ValueError, KeyError, TypeError):
        return (), False


def fetch_noted(client: "Client", job_id: str) -> None:
    """Fetches the outputs of a job that has completed to where its detached run wanted them, once; says where they are.

    Raises:
        OutputMissing: one is no longer there. LocalFile, ConnectionLost: as `fetch.fetch`.
    """
    from jobctl.connection.client import job_path

    try:
        job: dict[str, Any] = json.loads(client.get(job_path(job_id)))
    except NotFound:
        return
    uid = str(job.get("uid") or "")
    noted, fetched = recall(uid)
    if noted and not fetched and job.get("status") == "completed":
        fetch_all(client, job_id, noted)
        remember(uid, noted, fetched=True)


def fetch_all(client: "Client", job_id: str, fetches: tuple[Carry, ...]) -> list[tuple[str, str]]:
    """Fetches outputs, says where each is, and returns that as paths of the workspace and of this machine. Raises as `fetch_noted`
    does; all others were fetched.
    """
    from jobctl.transfers.destination import resolve, shown
    from jobctl.transfers.fetch import fetch

    made_of: list[tuple[str, str]] = []
    missing: list[str] = []
    why = ""
    for carry in fetches:
        try:
            place = resolve(carry.path, carry.local)
            made = fetch(client, job_id, spec_path(carry.path), place)
        except (NotFound, OutputMissing) as error:
            missing.append(carry.path)
            why = error.message
            continue
        if made is not None:
            output.note(f"fetched {carry.path} to {shown(made.target)}")
            made_of.append((carry.path, shown(made.target)))
    if missing:
        names = ", ".join(map(repr, missing))
        raise OutputMissing(f"not fetched: {names}: {why}", hint=f"jobctl show {job_id}")
    return made_of


def _absolute(local: str) -> str:
    path = Path(local).expanduser().absolute()
    return f"{path}/" if local.rpartition("/")[2] in ("", ".", "..") else str(path)


def _folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "jobctl" / "outputs"


def _tidy(folder: Path) -> None:
    """Drops notes of jobs that no daemon keeps any more."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > NOTES_KEPT_S:
            path.unlink(missing_ok=True)
