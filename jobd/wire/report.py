"""What jobd and the sidecar say to each other: the order on stdin, the reports as JSON lines on stdout.

Owns both shapes and their bytes. A report's `n` counts from 1 within one run of the sidecar, so a reader that starts again
knows what it has had. Reports are ASCII alone: the engine's log files damage other bytes at 16 KiB boundaries. File names stand in them
as `filenames.py` escapes them.
"""

import json
import re
from typing import Any, Literal

import msgspec

from jobd.wire.artifact import Artifact
from jobd.wire.filenames import readable

SUCCEEDED_SIGNAL = "SIGUSR1"
"""Sent to the sidecar, until it acknowledges, when the worker has ended with exit code 0."""
FAILED_SIGNAL = "SIGUSR2"
"""The same for any other end of the worker: outputs with `when` failure or always run."""


class DirectCallback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Where the sidecar itself posts artifact events, in direct mode only (`CALLBACK_PROXY_URL` empty)."""

    url: str
    events: list[str] = []
    key: str | None = None

    def __repr__(self) -> str:
        return f"DirectCallback(url={self.url!r}, key={'***' if self.key else None})"


class SidecarOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """All that a sidecar needs, handed over on its standard input as one line of JSON.

    `worker_uid` and `worker_gid` own the workspace and what inputs put there. Timeouts in seconds.
    `proxy_url` and `token`: set only where nobody reads the sidecar's stdout; it then posts its reports there.
    `secrets`: written to memory before the worker starts; the sidecar then stays until the worker has ended.
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
    """Returns what follows `<job uid>-` in the id of an artifact's event: the same whoever sends it."""
    # A dot is in no artifact's id: `x` in its second attempt is not `x-2` in its first.
    return f"artifact-{artifact_id}" if attempt == 1 else f"artifact-{artifact_id}.{attempt}"


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="started"):
    """The order was understood; inputs begin. Signals are heard from here on."""

    n: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """The order was cut or not understood; nothing was done and the sidecar ends."""

    n: int
    error: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress", rename="camel"):
    """Bytes moved so far for one artifact; at most a few a second. `total` is absent where it is unknown."""

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
    """The end of one artifact. `content`: what `read` and `list` found. `skipped`: its `when` did not apply.
    `optional`: it failed, and its spec forgives that. `sent`: its event was delivered directly, jobd need not.
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
    """The signal that the worker has ended was heard; it need not be sent again."""

    n: int


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """All outputs were tried; `failed` names those that failed and are not optional. The sidecar ends."""

    n: int
    failed: list[str] = []


Report = Started | Refused | Progress | ArtifactDone | Ready | InputsFailed | OutputsStarted | Done


class InternalReports(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body of `POST /internal/events`: reports of one job's sidecar, authorised by the job's token."""

    job_id: str
    reports: list[Report]


_HEADING = re.compile(
    r'\{"type":"(?P<type>[a-z-]{1,32})","n":(?P<n>[0-9]{1,15})(?![0-9])(?:,"artifactId":"(?P<artifact>[A-Za-z0-9_-]{1,128})")?'
)
"""The fields come in the order of the structs: the artifact's id stands before whatever can damage a report."""
_report: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_order = msgspec.json.Decoder(SidecarOrder)


def encode_report(report: Report) -> bytes:
    """Returns one report as an ASCII line with its newline. An unpaired surrogate, which no reader of JSON takes, becomes readable text.

    Raises:
        ValueError: it holds NaN or an infinity, which JSON has no word for.
    """
    tree = msgspec.to_builtins(report)
    line = _line(tree)
    return (_line(_readable(tree)) if b"\\ud" in line else line) + b"\n"


def _line(tree: Any) -> bytes:
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
        return _report.decode(line)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.DecodeError(f"the line is not a report: {error}") from None


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What the beginning of a damaged report still tells: its type, its number and its artifact; None for what it does not."""

    type: str | None = None
    n: int | None = None
    artifact_id: str | None = None


def heading_of(line: str) -> Heading:
    """Returns what a line that `decode_report` refuses tells of the report that it was; never raises."""
    match = _HEADING.search(line)
    if match is None:
        return Heading()
    return Heading(type=match["type"], n=int(match["n"]), artifact_id=match["artifact"])


def encode_order(order: SidecarOrder) -> bytes:
    """Returns the order as one line with its newline, which tells the reader that nothing was cut."""
    return msgspec.json.encode(order) + b"\n"


def decode_order(line: bytes) -> SidecarOrder:
    """Returns the order in `line`.

    Raises:
        msgspec.DecodeError: the line is cut (no newline at its end) or is not an order.
    """
    if not line.endswith(b"\n"):
        raise msgspec.DecodeError("the order was cut: no newline at its end")
    return _order.decode(line)
