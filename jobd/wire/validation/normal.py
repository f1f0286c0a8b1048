"""The one normal form of a job spec: what stands for a default or for nothing is written as that. Pure.

Owns the values that mean something else than they say, of which `docs/wire-values.md` has the table. It is applied once, when a spec
is decoded: what is stored, digested, shown and run is this form, so that two spellings of one job are one job.
"""

from typing import Any

from msgspec.structs import replace

from jobd.wire.artifact import Artifact, Unarchive
from jobd.wire.job import (
    DEFAULT_CPU,
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
}
"""Fields for which 0, or the empty text, stands for the default."""


def normal_form(spec: JobSpec) -> JobSpec:
    """Returns the same job in its normal form; a spec that has it already is returned as it is."""
    changes: dict[str, Any] = {}
    if spec.command == "":
        changes["command"] = None
    for name, default in _DEFAULTS.items():
        value = getattr(spec, name)
        # An encoder leaves out the very object that is the default, and no other that equals it.
        if value is not default and (not value or value == default):
            changes[name] = default
    if spec.workspace.endswith("/"):
        changes["workspace"] = _workspace(spec.workspace)
    if spec.callback is not None and not (spec.callback.url and spec.callback.key != ""):
        changes["callback"] = _callback(spec.callback)
    if any(map(_says_nothing, spec.artifacts)):
        changes["artifacts"] = [_artifact(artifact) for artifact in spec.artifacts]
    return replace(spec, **changes) if changes else spec


def _workspace(path: str) -> str:
    # "/" stays what it is, and is refused: it is no other spelling of the default.
    plain = path.rstrip("/") or path
    return DEFAULT_WORKSPACE if plain == DEFAULT_WORKSPACE else plain


def _callback(callback: Callback) -> Callback | None:
    return replace(callback, key=callback.key or None) if callback.url else None


def _says_nothing(artifact: Artifact) -> bool:
    return artifact.depends == "" or (isinstance(artifact, Unarchive) and artifact.subdir == "")


def _artifact(artifact: Artifact) -> Artifact:
    if not _says_nothing(artifact):
        return artifact
    if isinstance(artifact, Unarchive):
        return replace(artifact, depends=artifact.depends or None, subdir=artifact.subdir or None)
    return replace(artifact, depends=artifact.depends or None)
