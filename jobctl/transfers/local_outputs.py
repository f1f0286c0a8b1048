"""Local outputs: their declaration in the spec, and their destinations, which jobctl stores for detached jobs.

The destinations are in one file a job in `$XDG_STATE_HOME/jobctl/outputs`. jobd never gets them, so that the submitter of a job
cannot decide where another user's `wait` writes.
"""

import errno
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobctl.errors import LocalFile, Misuse, NotFound, OutputMissing
from jobctl.output import output
from jobctl.transfers.transfer_flags import Transfer

if TYPE_CHECKING:
    from jobctl.connection.client import Client

KEPT_S = 90 * 86400
LONGEST_FILE_BYTES = 1 << 20
Tree = dict[str, Any]

_UID = re.compile(r"[0-9a-zA-Z]{1,64}\Z")


def declare_outputs(spec: Tree, fetches: tuple[Transfer, ...], *, keep: bool) -> Tree:
    """Returns the spec with the local outputs in `outputs`. `keep`: jobd keeps them, for a detached job. Pure.

    Raises:
        Misuse: an output of a detached job goes to standard output.
    """
    if not fetches:
        return spec
    outputs = spec.get("outputs") or []
    if not isinstance(outputs, list):
        raise Misuse("outputs must be a list", field="outputs")
    by_path = {entry.get("path"): dict(entry) for entry in outputs if isinstance(entry, dict)}
    for transfer in fetches:
        if keep and transfer.local == "-":
            raise Misuse(
                f"--out {transfer.path}=- needs an attached run: a detached job has no standard output here",
                hint="name a file; jobctl fetch or jobctl wait writes it after the job's end",
            )
        path = spec_path(transfer.path)
        entry = by_path.setdefault(path, {"path": path})
        if keep:
            entry["keep"] = True
    return {**spec, "outputs": list(by_path.values())}


def spec_path(path: str) -> str:
    """Returns a workspace path without its trailing `/`, which concerns only the local side."""
    return path.rstrip("/") or "."


def check_folder() -> None:
    """Checks that destinations can be stored: call this before the submission of a detached job, whose id would be lost by an error
    after it. Raises: LocalFile.
    """
    folder = _folder(os.environ)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise LocalFile(
            f"jobctl cannot store where the outputs go, in {folder}: {(error.strerror or '').lower()}; no job was submitted",
            hint="name another folder in XDG_STATE_HOME, or run the job without -d",
        ) from None


def remember(uid: str, fetches: tuple[Transfer, ...], *, fetched: bool = False) -> None:
    """Stores the destinations of a job's outputs as absolute paths, and whether they were fetched. Raises: LocalFile."""
    if not fetches or not _UID.match(uid):
        return
    folder = _folder(os.environ)
    destinations = [[transfer.path, _absolute(transfer.local)] for transfer in fetches]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_old_files(folder)
        temporary = folder / f".{uid}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"outputs": destinations, "fetched": fetched}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(folder / f"{uid}.json")
    except OSError as error:
        raise LocalFile(
            f"cannot store the destinations of the outputs in {folder}: {error.strerror}",
            hint="name the destination later: jobctl fetch ID DIRECTORY",
        ) from None


def recall(uid: str) -> tuple[tuple[Transfer, ...], bool]:
    """Returns the stored destinations of a job's outputs, () where there are none, and whether the outputs were fetched."""
    if not _UID.match(uid):
        return (), False
    try:
        with (_folder(os.environ) / f"{uid}.json").open("rb") as file:
            stored = json.loads(file.read(LONGEST_FILE_BYTES))
        destinations = tuple(Transfer(str(path), str(local)) for path, local in stored["outputs"])
        return destinations, bool(stored["fetched"])
    except (OSError, ValueError, KeyError, TypeError):
        return (), False


def fetch_remembered(client: "Client", job_id: str) -> None:
    """Fetches the outputs of a completed job to their stored destinations, once, and prints where they are.

    Raises:
        OutputMissing: an output does not exist any more. LocalFile, ConnectionLost: as `fetch.fetch`.
    """
    from jobctl.connection.client import job_path

    try:
        job: dict[str, Any] = json.loads(client.get(job_path(job_id)))
    except NotFound:
        return
    uid = str(job.get("uid") or "")
    destinations, fetched = recall(uid)
    if destinations and not fetched and job.get("status") == "completed":
        fetch_all(client, job_id, destinations, sizes_of(job))
        remember(uid, destinations, fetched=True)


def sizes_of(job: Mapping[str, Any]) -> dict[str, int]:
    """Returns the sizes of the tars of a job's kept outputs, by path."""
    entries = [one for one in job.get("outputs") or [] if isinstance(one, dict) and one.get("bytes")]
    return {str(one.get("path")): int(one["bytes"]) for one in entries}


def fetch_all(
    client: "Client", job_id: str, fetches: tuple[Transfer, ...], sizes: Mapping[str, int]
) -> list[tuple[str, str]]:
    """Fetches outputs and prints where each one is. Returns their paths in the workspace and on this machine. Raises as
    `fetch_remembered` does, after it has fetched all other outputs. `sizes`: see `sizes_of`.
    """
    from jobctl.transfers.destination import resolve, shown
    from jobctl.transfers.fetch import fetch

    fetched: list[tuple[str, str]] = []
    missing: list[str] = []
    why = ""
    for transfer in fetches:
        try:
            place = resolve(transfer.path, transfer.local)
            path = spec_path(transfer.path)
            extracted = fetch(client, job_id, path, place, total_bytes=sizes.get(path))
        except (NotFound, OutputMissing) as error:
            missing.append(transfer.path)
            why = error.message
            continue
        if extracted is not None:
            output.note(f"fetched {transfer.path} to {shown(extracted.target)}")
            fetched.append((transfer.path, shown(extracted.target)))
    if missing:
        names = ", ".join(map(repr, missing))
        raise OutputMissing(f"not fetched: {names}: {why}", hint=f"jobctl show {job_id}")
    return fetched


def _absolute(local: str) -> str:
    path = Path(local).expanduser().absolute()
    return f"{path}/" if local.rpartition("/")[2] in ("", ".", "..") else str(path)


def _folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "jobctl" / "outputs"


def _remove_old_files(folder: Path) -> None:
    """Removes the files of jobs that no daemon keeps any more."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_S:
            path.unlink(missing_ok=True)


def remembers_any() -> bool:
    """Returns whether any destinations are stored."""
    try:
        return any(_folder(os.environ).iterdir())
    except OSError:
        return False
