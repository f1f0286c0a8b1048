"""Builds a sidecar's order from the record, the spec and the settings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobd.jobs.record.record import Record
from jobd.wire.job import JobSpec
from jobd.wire.report import DirectCallback, SidecarOrder


@dataclass(frozen=True, slots=True)
class SidecarSettings:
    """`direct`: the sidecar itself posts artifact events to the callback. Times in seconds."""

    direct: bool
    callback_timeout_s: float
    upload_timeout_s: float
    upload_retries: int


def sidecar_order(
    record: Record, spec: JobSpec, settings: SidecarSettings, secrets: Mapping[str, str] | None = None
) -> SidecarOrder:
    """Returns the order. Only in direct mode does the order hold the callback's key: only then does the sidecar sign events.

    `secrets` are the values, which the spec lacks. The workspace has its default path: the worker's own path could hide the sidecar's files.
    The engine's adapter sets the worker's uid and gid.
    """
    callback = None
    if settings.direct and spec.callback is not None:
        callback = DirectCallback(url=spec.callback.url, events=spec.callback.events, key=spec.callback.key)
    return SidecarOrder(
        job_id=record.id,
        job_uid=record.uid,
        artifacts=spec.artifacts,
        attempt=record.attempt.number,
        meta=spec.meta,
        timeout_s=spec.timeout_s,
        callback=callback,
        callback_timeout_s=settings.callback_timeout_s,
        upload_timeout_s=settings.upload_timeout_s,
        upload_retries=settings.upload_retries,
        secrets=dict(secrets or {}),
    )
