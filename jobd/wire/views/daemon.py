"""The types of the API's responses about the daemon: its health, its version, and its use of the disk."""

from typing import Any, Literal

from jobd.wire.views.base import View


class Health(View, frozen=True, kw_only=True):
    """`/livez` and `/readyz`. Each check is `healthy` or a text that names the problem."""

    status: Literal["healthy", "unhealthy"]
    checks: dict[str, str]


class Version(View, frozen=True, kw_only=True):
    """`GET /v1/version`: the daemon, its engine and its settings; `jobctl version` and `jobctl doctor` show it."""

    version: str
    instance: str
    engine: dict[str, Any] = {}
    sidecar_image: str = ""
    sidecar_image_present: bool | None = None
    state_dir: str = ""
    max_concurrent_jobs: int = 0
    engine_problems: list[str] = []
    """What keeps jobd from using all of the engine, such as a missing right."""
    engine_limits: dict[str, str] = {}
    """What jobs have on another engine and not on this one, and why."""
    warnings: list[str] = []
    """Texts about problems that need the operator; empty where there are none."""
    remedies: dict[str, list[str]] = {}
    """What helps, with the tools of this daemon's engine, by what is wrong; `{image}` and `{id}` are to be filled in."""


class Kept(View, frozen=True, kw_only=True):
    """A number of objects and their size; `bytes` is None where the size is unknown."""

    count: int
    bytes: int | None = None


class Disk(View, frozen=True, kw_only=True):
    """`GET /v1/disk`: the disk usage of jobd's data; `jobctl doctor` shows it. Sizes in bytes.

    `containers` and `volumes` are those of this jobd on the engine, None where the engine did not respond in time.
    """

    state_dir: str
    free_bytes: int
    database_bytes: int
    uploads: Kept
    outputs: Kept | None = None
    containers: Kept | None = None
    volumes: Kept | None = None
