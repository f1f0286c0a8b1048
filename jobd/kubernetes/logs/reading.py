"""Reads a container's log by the API: from a cursor on, to its end or as long as the container runs.

Owns the requests, the wait for a container that has not started, and what a refusal means. `lines.py` splits, `cursor.py` counts.

Source: Kubernetes API v1, PodLogOptions.
"""

from collections.abc import AsyncGenerator

import msgspec

from jobd.jobs.port.errors import ContainerGone, LogUnreadable
from jobd.jobs.port.model import JobRef, LogBatch, LogCursor, RawLine, Role
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.logs.cursor import Position, cursor_of, position_of, since_time
from jobd.kubernetes.logs.lines import Lines
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.mapping.pod import SIDECAR
from jobd.kubernetes.pods.api import PodApi, translated
from jobd.kubernetes.pods.start import Start
from jobd.kubernetes.watch.changes import Changes

SILENCE_S = 60.0
"""Of a read to the log's end. A log that is followed may be silent for ever."""
_BAD_REQUEST = 400


class LogReading:
    """Reads the logs of one jobd's containers."""

    def __init__(self, api: PodApi, start: Start, changes: Changes) -> None:
        self._api = api
        self._start = start
        self._changes = changes

    async def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor; see `port.protocols.Logs`."""
        try:
            position = position_of(cursor)
        except msgspec.MsgspecError as error:
            raise LogUnreadable(f"the log's position cannot be read: {error}", answered=True) from error
        with translated():
            pod = await self._begun(ref, role, wait=follow)
            if pod is None:
                return
            async for batch in self._read(pod, role, position, follow=follow):
                yield batch

    async def _begun(self, ref: JobRef, role: Role, *, wait: bool) -> Pod | None:
        """Returns the Pod once the container has begun; None if it has not. Raises ContainerGone."""
        with self._changes.awaited(ref.uid) as change:
            while True:
                pod = await self._start.pod(ref)
                if pod is None:
                    raise ContainerGone("the job's Pod is removed")
                if facts.has_begun(pod, role):
                    return pod
                if not wait or pod.status.phase in facts.ENDED_PHASES:
                    return None
                await change.wait()

    async def _read(
        self, pod: Pod, role: Role, position: Position, *, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        params = {"container": role, "timestamps": "true"}
        if follow:
            params["follow"] = "true"
        since = since_time(position)
        if since is not None:
            params["sinceTime"] = since
        sidecar = facts.status_of(pod, SIDECAR)
        if role == "sidecar" and sidecar is not None and sidecar.restart_count:
            params["previous"] = "true"  # the run that had the order
            params.pop("follow", None)
        lines = Lines(position)
        try:
            path = self._api.log_path(pod.metadata.name)
            async with self._api.client.stream(
                path, params, silence_s=None if follow else SILENCE_S
            ) as content:
                async for chunk in content.iter_any():
                    batch = list(lines.feed(chunk))
                    if batch:
                        yield _batch(batch, lines)
        except ApiError as error:
            raise _log_error(error) from error
        if not follow:
            batch = list(lines.end())
            if batch:
                yield _batch(batch, lines)


def _batch(lines: list[RawLine], reading: Lines) -> LogBatch:
    return LogBatch(lines, cursor_of(reading.position))


def _log_error(error: ApiError) -> Exception:
    if error.is_absent or error.code == _BAD_REQUEST:
        return ContainerGone(f"the log is gone: {error}")
    if error.code >= 500:
        return LogUnreadable(f"the cluster does not return the log: {error}", answered=True)
    return error
