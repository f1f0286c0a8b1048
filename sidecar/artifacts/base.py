"""What all artifact kinds share: what a handler gets and gives, and the table that finds it.

A kind is one module with a function `move(artifact, context) -> Moved`, whose paths are as the system has them. Modules are imported on first use: a sidecar that only writes
and reads starts without an HTTP client and without archive formats.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from jobd.wire.artifact import Artifact, kind_of
from sidecar.entry import native
from sidecar.interrupts import Interrupts
from sidecar.workspace.paths import Workspace

if TYPE_CHECKING:
    from sidecar.transfer.http import Http

Meter = Callable[[int, int | None], None]
"""Called with the bytes moved so far and, where known, their total."""

HANDLERS: dict[str, str] = {
    "download": "sidecar.artifacts.download",
    "write": "sidecar.artifacts.write",
    "unarchive": "sidecar.artifacts.unarchive",
    "upload": "sidecar.artifacts.upload",
    "read": "sidecar.artifacts.read",
    "archive": "sidecar.artifacts.archive",
    "list": "sidecar.artifacts.list",
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
}
"""The fields of each kind that name something in the workspace or, as `subdir`, in an archive."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one artifact may be: bytes, counts, seconds."""

    local_s: float = 3600
    download_s: float = 6 * 3600
    content_bytes: int = 256 * 1024
    encoded_content_bytes: int = 768 * 1024
    """As it stands in a report: one line, which everything on its way must be able to hold."""
    list_entries: int = 10_000
    archive_members: int = 200_000
    archive_bytes: int = 64 << 30
    unarchive_members: int = 200_000
    unarchive_bytes: int = 64 << 30
    unarchive_ratio: int = 200
    """Content may be this many times its archive's size, once it is over `unarchive_free_bytes`."""
    unarchive_free_bytes: int = 1 << 30
    unarchive_look_first_bytes: int = 32 << 20
    """An archive of at most this size is looked through before anything of it is written."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler works with. `http` makes the client on first use."""

    workspace: Workspace
    interrupts: Interrupts
    http: Callable[[], "Http"]
    meter: Meter
    upload_timeout_s: float = 300
    upload_retries: int = 3
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it: the bytes that were moved, and the content for the event."""

    size_bytes: int | None = None
    content: Any = None


Handler = Callable[[Any, Context], Moved]


def with_native_paths(artifact: Artifact) -> Artifact:
    """Returns the artifact for its handler, its paths as the system has them.

    Raises:
        ArtifactError: one of them is no path.
    """
    texts = {name: getattr(artifact, name) for name in PATHS[kind_of(artifact)]}
    paths = {name: native(text) for name, text in texts.items() if text is not None}
    return msgspec.structs.replace(artifact, **paths)


def handler_of(kind: str) -> Handler:
    """Returns the handler of a kind.

    Raises:
        KeyError: there is no such kind.
    """
    handler: Handler = import_module(HANDLERS[kind]).move
    return handler
