"""The normal form of a job spec: replaces values that mean a default, or that a field is absent. Pure.

Owns these values; `docs/wire-values.md` has their table. Decoding applies the normal form once, and jobd stores, compares, shows and
runs only this form, so that two notations of one job are equal.
"""

from typing import Any

from msgspec.structs import replace

from jobd.wire.artifact import Artifact, Unarchive
from jobd.wire.job import (
    DEFAULT_CPU,
    DEFAULT_GROUP,
    DEFAULT_MEMORY_MB,
    DEFAULT_PIDS,
    DEFAULT_TIMEOUT_S,
    DEFAULT_WORKSPACE,
    Callback,
    JobSpec,
)

_DEFAULTS: dict[str, Any] = {
    "cpu": DEFAULT_CPU,
    "memory": DEFAULT_MEMORY_MB,
    "timeout_seconds": DEFAULT_TIMEOUT_S,
    "pids": DEFAULT_PIDS,
    "workspace": DEFAULT_WORKSPACE,
    "group": DEFAULT_GROUP,
}
"""The fields in which 0, or the empty text, means the default."""


def normal_form(spec: JobSpec) -> JobSpec:
    """Returns the same job in its normal form; returns `spec` itself if it has that form."""
    changes: dict[str, Any] = {}
    if spec.command == "":
        changes["command"] = None
    for name, default in _DEFAULTS.items():
        value = getattr(spec, name)
        # msgspec's encoder omits a default by identity, not by equality.
        if value is not default and (not value or value == default):
            changes[name] = default
    if spec.workspace.endswith("/"):
        changes["workspace"] = _workspace(spec.workspace)
    if spec.working_dir:
        working_dir = _working_dir(spec.working_dir, changes.get("workspace", spec.workspace))
        if working_dir != spec.working_dir:
            changes["working_dir"] = working_dir
    if spec.callback is not None and not (spec.callback.url and spec.callback.key != ""):
        changes["callback"] = _callback(spec.callback)
    if any(map(_has_empty_option, spec.artifacts)):
        changes["artifacts"] = [_artifact(artifact) for artifact in spec.artifacts]
    return replace(spec, **changes) if changes else spec


def _workspace(path: str) -> str:
    # "/" stays and is refused later: it does not mean the default.
    plain = path.rstrip("/") or path
    return DEFAULT_WORKSPACE if plain == DEFAULT_WORKSPACE else plain


def _working_dir(path: str, workspace: str) -> str:
    plain = path.rstrip("/") or path
    return "" if plain == workspace else plain


def _callback(callback: Callback) -> Callback | None:
    return replace(callback, key=callback.key or None) if callback.url else None


def _has_empty_option(artifact: Artifact) -> bool:
    return artifact.depends == "" or (isinstance(artifact, Unarchive) and artifact.subdir == "")


def _artifact(artifact: Artifact) -> Artifact:
    if not _has_empty_option(artifact):
        return artifact
    if isinstance(artifact, Unarchive):
        return replace(artifact, depends=artifact.depends or None, subdir=artifact.subdir or None)
    return replace(artifact, depends=artifact.depends or None)
