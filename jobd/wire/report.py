"""The messages between jobd and the sidecar: the order on stdin, and the reports as JSON lines on stdout.

Owns their types and encodings. A report's `n` counts from 1 within one run of the sidecar, so that a reader that starts again can
skip the reports that it has processed. Reports are ASCII: the engine's log files damage other bytes at 16 KiB boundaries. `files/filenames.py`
escapes the file names in them.
"""

import re
from typing import Any, Literal

import msgspec

from jobd.wire.artifact import Artifact
from jobd.wire.files.filenames import readable

SUCCEEDED_SIGNAL = "SIGUSR1"
"""jobd sends this signal to the sidecar after the worker's exit code 0, until the sidecar acknowledges it."""
FAILED_SIGNAL = "SIGUSR2"
"""The same after any other end of the worker: outputs with `when` failure or always run."""


JOBS_FOLDER = "/jobs"
"""In a sidecar: the folder with the workspaces of the earlier jobs that the order names, each at the job's id, read-only."""


class DirectCallback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The receiver to which the sidecar itself sends artifact events, in direct mode only (`CALLBACK_PROXY_URL` empty)."""

    url: str
    events: list[str] = []
    key: str | None = None

    def __repr__(self) -> str:
        return f"DirectCallback(url={self.url!r}, key={'***' if self.key else None})"


class SidecarOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The sidecar's instructions, one line of JSON on its standard input.

    `worker_uid` and `worker_gid` own the workspace and the inputs in it. Timeouts in seconds. `proxy_url` and `token`: set
    only if jobd cannot read the sidecar's stdout; the sidecar then POSTs its reports to that URL. `secrets`: the sidecar writes
    them to a file system in memory before the worker starts, and then runs until the worker has ended.
    """

    job_id: str
    job_uid: str
    artifacts: list[Artifact]
    attempt: int = 1
    meta: dict[str, str] = {}
    workspace: str = "/workspace"
    worker_uid: int = 0
    worker_gid: int = 0
    timeout_s: float = 1800
    callback: DirectCallback | None = None
    callback_timeout_s: float = 30
    upload_timeout_s: float = 300
    upload_retries: int = 3
    proxy_url: str | None = None
    token: str | None = None
    secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SidecarOrder(job_id={self.job_id!r}, job_uid={self.job_uid!r}, attempt={self.attempt}, ...)"


def artifact_event_key(artifact_id: str, attempt: int) -> str:
    """Returns the part after `<job uid>-` of the id of an artifact's event, the same for jobd and the sidecar."""
    # An artifact's id contains no dot, so `x` in the second attempt differs from `x-2` in the first.
    return f"artifact-{artifact_id}" if attempt == 1 else f"artifact-{artifact_id}.{attempt}"


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="started"):
    """The order is valid; the inputs begin. From here on the sidecar handles signals."""

    n: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """The order is truncated or invalid; the sidecar ends without doing anything."""

    n: int
    error: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress", rename="camel"):
    """The bytes of one artifact moved so far; a few reports a second at most. `total` is absent where it is unknown."""

    n: int
    artifact_id: str
    bytes: int
    total: int | None = None


class ArtifactDone(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="artifact",
    rename="camel",
    omit_defaults=True,
):
    """The end of one artifact. `content`: the result of `read` and `list`. `skipped`: its `when` does not match the worker's outcome.
    `optional`: the artifact has failed, which its spec allows. `sent`: the sidecar has delivered the event itself.
    """

    n: int
    artifact_id: str
    artifact_type: str
    status: Literal["success", "failed", "skipped"]
    content: Any = None
    error: str | None = None
    bytes: int | None = None
    seconds: float = 0
    optional: bool = False
    sent: bool = False


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ready"):
    """All inputs are in place; the worker may start."""

    n: int


class InputsFailed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inputs-failed"):
    """An input failed; the worker must not start and the sidecar ends."""

    n: int
    error: str


class OutputsStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="outputs-started"):
    """The sidecar has received the signal of the worker's end; jobd need not send the signal again."""

    n: int


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """The outputs have ended; `failed` names the failed ones that are not optional. The sidecar ends."""

    n: int
    failed: list[str] = []


Report = Started | Refused | Progress | ArtifactDone | Ready | InputsFailed | OutputsStarted | Done


class InternalReports(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body of `POST /internal/events`: reports of one job's sidecar, authenticated with the job's token."""

    job_id: str
    reports: list[Report]


_HEADING = r'\{"type":"(?P<type>[a-z-]{1,32})","n":(?P<n>[0-9]{1,15})(?![0-9])(?:,"artifactId":"(?P<artifact>[A-Za-z0-9_-]{1,128})")?'
"""Fields have the order of the structs: the artifact's id comes before the fields that can damage a report."""


def encode_report(report: Report) -> bytes:
    """Returns one report as an ASCII line with a newline. `filenames.readable` replaces unpaired surrogates, which JSON readers refuse.

    Raises:
        ValueError: the report contains NaN or an infinity, which JSON cannot represent.
    """
    return (_plain_line(report) or _escaped_line(report)) + b"\n"


def _plain_line(report: Report) -> bytes | None:
    """Returns the line without an import of json, which delays a sidecar's start; None if characters of the report need an escape."""
    if isinstance(report, ArtifactDone) and report.content is not None:
        return None  # msgspec encodes NaN as null
    try:
        line = msgspec.json.encode(report)
    except UnicodeEncodeError:
        return None  # an unpaired surrogate
    return line if line.isascii() else None


def _escaped_line(report: Report) -> bytes:
    tree = msgspec.to_builtins(report)
    line = _line(tree)
    return _line(_readable(tree)) if b"\\ud" in line else line


def _line(tree: Any) -> bytes:
    import json

    return json.dumps(tree, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def _readable(tree: Any) -> Any:
    if isinstance(tree, str):
        return readable(tree)
    if isinstance(tree, dict):
        return {readable(name): _readable(value) for name, value in tree.items()}
    return [_readable(value) for value in tree] if isinstance(tree, list | tuple) else tree


def decode_report(line: bytes) -> Report:
    """Returns the report in `line`.

    Raises:
        msgspec.DecodeError: the line is not a report.
    """
    try:
        # No decoder is made with the module: the sidecar decodes no report, and its start delays each job with artifacts.
        report: Report = msgspec.json.decode(line, type=Report)
        return report
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(f"the line is not a report: {error}") from None


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The readable fields at the start of a damaged report: type, number and artifact; None for an unreadable one."""

    type: str | None = None
    n: int | None = None
    artifact_id: str | None = None


def heading_of(line: str) -> Heading:
    """Returns the readable fields of a line that `decode_report` refuses; never raises."""
    match = re.search(_HEADING, line)
    if match is None:
        return Heading()
    return Heading(type=match["type"], n=int(match["n"]), artifact_id=match["artifact"])


def encode_order(order: SidecarOrder) -> bytes:
    """Returns the order as one line with a newline, which shows the reader that the order is complete."""
    return msgspec.json.encode(order) + b"\n"


def decode_order(line: bytes) -> SidecarOrder:
    """Returns the order in `line`.

    Raises:
        msgspec.DecodeError: the line is truncated (it has no newline at its end) or is no order.
    """
    if not line.endswith(b"\n"):
        raise msgspec.DecodeError("the order is truncated: it has no newline at its end")
    return msgspec.json.decode(line, type=SidecarOrder)
