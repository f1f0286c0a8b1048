"""The watch of one jobd's Pods as hints, over successive connections.

Owns these connections: a list, then a watch from its version on; after a break the watch continues, and if the API server no longer has
that version, a new list shows what was missed. `state.py` decides which hints follow.

Source: Kubernetes documentation, "Kubernetes API Concepts".
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from jobd.clock import Clock
from jobd.jobs.port.errors import EngineError, EngineUnavailable
from jobd.jobs.port.hints import Connected, Disconnected, Hint
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping.labels import selector_of_instance
from jobd.kubernetes.mapping.models import Pod, Status, WatchEvent
from jobd.kubernetes.pods.api import PodApi
from jobd.kubernetes.watch.changes import Changes
from jobd.kubernetes.watch.state import WatchState

WATCH_S = 290
"""The API server ends a watch after this time, without a loss."""
SILENCE_S = 90.0
"""A watch without a byte for this long counts as broken: an API server sends a bookmark every minute."""
EVENT_BYTES = 8 << 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


class Watch:
    """The hints of one jobd's Pods. `changes` is told of each as well."""

    def __init__(self, api: PodApi, state: WatchState, changes: Changes, clock: Clock) -> None:
        self._api = api
        self._state = state
        self._changes = changes
        self._clock = clock

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever; see `port.protocols.HintStream`. Never raises EngineUnavailable."""
        pause_s, is_first, is_connected = _FIRST_PAUSE_S, True, False
        self._state.expired()
        while True:
            try:
                if not self._state.resource_version:
                    for hint in await self._list():
                        if not is_first:  # what exists at the beginning is observed anyway
                            yield hint
                is_first = False
                async for hint in self._watch():
                    pause_s = _FIRST_PAUSE_S
                    if isinstance(hint, Connected) and is_connected:
                        continue  # a watch that continues another one has lost nothing: no job has to be looked at
                    is_connected = is_connected or isinstance(hint, Connected)
                    yield hint
                continue  # the API server has ended the watch in its time
            except (ApiError, EngineError):
                is_connected = False  # the next call raises the error; here jobd only reconnects
            yield Disconnected()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _list(self) -> list[Hint]:
        pods, version = await self._api.listed(selector_of_instance(self._api.instance))
        return self._told(self._state.listed(pods, version, self._clock.now()))

    def _told(self, hints: list[Hint]) -> list[Hint]:
        for hint in hints:
            if not isinstance(hint, Connected | Disconnected) and hint.uid is not None:
                self._changes.tell(hint.uid)
        return hints

    async def _watch(self) -> AsyncIterator[Hint]:
        """Yields `Connected`, then the hints of one connection. Raises ApiError, EngineUnavailable."""
        params = {
            "watch": "1",
            "labelSelector": selector_of_instance(self._api.instance),
            "resourceVersion": self._state.resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        try:
            async with self._api.client.stream(self._api.client.pods, params, silence_s=SILENCE_S) as content:
                yield Connected()
                rest = b""
                async for chunk in content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    if len(rest) > EVENT_BYTES:
                        raise EngineUnavailable("an event of the API server is too long")
                    for line in lines:
                        for hint in self._take(line) if line else ():
                            yield hint
        except ApiError as error:
            if error.is_expired:
                self._state.expired()
            raise

    def _take(self, line: bytes) -> list[Hint]:
        now = self._clock.now()
        try:
            event = msgspec.json.decode(line, type=WatchEvent)
            if event.type == "ERROR":
                status = msgspec.json.decode(event.object, type=Status)
                raise ApiError(status.code, status.reason, status.message)
            pod = msgspec.json.decode(event.object, type=Pod)
        except msgspec.MsgspecError as error:
            self._state.expired()  # a list shows what this event would have told
            raise EngineUnavailable(f"an event of the API server cannot be read: {error}") from error
        if event.type == "BOOKMARK":
            self._state.bookmark(pod.metadata.resource_version)
            return []
        if event.type == "DELETED":
            return self._told(self._state.deleted(pod, now))
        return self._told(self._state.changed(pod, now))
