"""The table of artifact kinds, and the types of their handlers.

Each kind is a module with a function `transfer(artifact, context) -> Transferred`, which gets native paths. Modules are imported on first
use, so that a sidecar that only writes and reads files starts without the HTTP client and the archive formats.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from jobd.wire.artifact import Artifact, kind_of
from jobd.wire.report import JOBS_FOLDER
from sidecar.entry import native
from sidecar.interrupts import Interrupts
from sidecar.workspace.paths import Workspace

if TYPE_CHECKING:
    from sidecar.transfer.http import Http

Meter = Callable[[int, int | None], None]
"""Called with the bytes transferred so far and, where known, the total."""

HANDLERS: dict[str, str] = {
    "download": "sidecar.artifacts.download",
    "write": "sidecar.artifacts.write",
    "unarchive": "sidecar.artifacts.unarchive",
    "upload": "sidecar.artifacts.upload",
    "read": "sidecar.artifacts.read",
    "archive": "sidecar.artifacts.archive",
    "list": "sidecar.artifacts.list",
    "job": "sidecar.artifacts.job",
}
"""The module of each kind in `jobd.wire.artifact.KINDS`."""

PATHS: dict[str, tuple[str, ...]] = {
    "download": ("out",),
    "write": ("out",),
    "unarchive": ("source", "out", "subdir"),
    "upload": ("source",),
    "read": ("source",),
    "archive": ("source", "out"),
    "list": ("source",),
    "job": ("source", "out"),
}
"""The fields of each kind that are paths, in the workspace, for `subdir` in an archive, or for `in` of `job` in the workspace of that job."""

OPENS_MANY = frozenset({"unarchive", "archive", "list", "job"})
"""The kinds that may open thousands of files and directories."""


class Caps(msgspec.Struct, frozen=True):
    """The limits of one artifact: bytes, counts, seconds."""

    local_s: float = 3600
    download_s: float = 6 * 3600
    content_bytes: int = 256 * 1024
    encoded_content_bytes: int = 768 * 1024
    """The limit of the content as JSON in a report, which is one line."""
    list_entries: int = 10_000
    archive_members: int = 200_000
    archive_bytes: int = 64 << 30
    copy_members: int = 1_000_000
    copy_entries: int = 200_000
    """Of one directory: the sidecar holds the entries in memory."""
    unarchive_members: int = 200_000
    unarchive_bytes: int = 64 << 30
    unarchive_ratio: int = 200
    """The unpacked content may be this many times the size of the archive; `unarchive_free_bytes` are always allowed."""
    unarchive_free_bytes: int = 1 << 30
    unarchive_check_first_bytes: int = 32 << 20
    """An archive of at most this size is checked completely before the first file is written."""


class Context(msgspec.Struct, frozen=True):
    """The dependencies of a handler. `http` creates the client on first use."""

    workspace: Workspace
    interrupts: Interrupts
    http: Callable[[], "Http"]
    meter: Meter
    upload_timeout_s: float = 300
    upload_retries: int = 3
    jobs_folder: str = JOBS_FOLDER
    caps: Caps = msgspec.field(default_factory=Caps)


class Transferred(msgspec.Struct, frozen=True):
    """The result: the number of transferred bytes, and the content for the event."""

    size_bytes: int | None = None
    content: Any = None


Handler = Callable[[Any, Context], Transferred]


def with_native_paths(artifact: Artifact) -> Artifact:
    """Returns the artifact with native paths.

    Raises:
        ArtifactError: a path is invalid.
    """
    texts = {name: getattr(artifact, name) for name in PATHS[kind_of(artifact)]}
    paths = {name: native(text) for name, text in texts.items() if text is not None}
    return msgspec.structs.replace(artifact, **paths)


def handler_of(kind: str) -> Handler:
    """Returns the handler of a kind.

    Raises:
        KeyError: the kind does not exist.
    """
    handler: Handler = import_module(HANDLERS[kind]).transfer
    return handler
