"""Whether one engine process has been up over the whole life of a container, by the engine's own record.

Owns what stands for the start of an engine: it makes its default bridge anew each time, and its buffer of events begins empty.
An engine that is being stopped closes its listeners before it ends containers; all is therefore asked on connections that are
opened after the container's end was seen. Knows nothing of jobs.

Source: Docker Engine API, NetworkInspect (`Created` of `bridge`), SystemInfo (`LiveRestoreEnabled`), SystemEvents.
"""

from datetime import datetime
from typing import TypeVar

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.http.transport import SMALL_ANSWER
from jobd.docker.mapping.inspection import Inspected, moment
from jobd.docker.mapping.models import Info, NetworkInspected
from jobd.jobs.port.errors import EngineUnavailable

T = TypeVar("T")

_BRIDGE = "bridge"


class Uptime:
    """The present process of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def spans(self, container_id: str) -> bool | None:
        """Returns whether the engine that answers now was up before the container's start and is not being stopped.

        False: it came after the container's start or end. None: its record does not tell.
        Raises: EngineUnavailable, also while the engine takes no new connections.
        """
        found = await self._ask(f"/containers/{container_id}/json", Inspected)
        if found is None:
            return None
        began, ended = moment(found.state.started_at), moment(found.state.finished_at)
        if began is None or ended is None:
            return None
        info = await self._ask("/info", Info)
        bridge = await self._ask(f"/networks/{_BRIDGE}", NetworkInspected)
        since = None if bridge is None else moment(bridge.created)
        if since is not None:
            # Both: a wall clock that was set back in between must not make a new engine seem old.
            if since > began or since > ended:
                return False
            if info is not None and not info.live_restore_enabled:
                return True  # with live-restore, an engine keeps the bridge that it finds in use
        now = None if info is None else moment(info.system_time)
        return True if now is not None and await self._remembers(container_id, now) else None

    async def _remembers(self, container_id: str, now: datetime) -> bool:
        """True where the start of the container is still among the events of this process."""
        filters = {"type": ["container"], "container": [container_id], "event": ["start"]}
        params = {
            "filters": msgspec.json.encode(filters).decode(),
            "since": "0",
            "until": str(int(now.timestamp())),
        }
        async with self._engine.streams.open(
            "GET",
            await self._engine.path("/events"),
            params=params,
            silence_s=self._engine.timeouts.connect_s,
            fresh=True,
        ) as body:
            return bool((await body.read(SMALL_ANSWER)).strip())

    async def _ask(self, path: str, shape: type[T]) -> T | None:
        """Returns what stands at `path`; None where there is nothing. Raises: EngineUnavailable."""
        try:
            async with self._engine.streams.open(
                "GET", await self._engine.path(path), silence_s=self._engine.timeouts.connect_s, fresh=True
            ) as body:
                return msgspec.json.decode(await body.read(SMALL_ANSWER), type=shape)
        except Refusal as error:
            if error.status == 404:
                return None
            raise EngineUnavailable(error.message) from error
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"{path} gave no answer of an engine: {error}") from error
