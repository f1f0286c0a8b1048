"""Whether one engine process was up over the whole life of a container.

The engine creates its default bridge again at each start, and its event buffer begins empty: both date the engine's start.
An engine that stops closes its listeners before it ends containers; each request here therefore uses a connection that is
opened after the container's end.

Source: Docker Engine API, NetworkInspect (`Created` of `bridge`), SystemInfo (`LiveRestoreEnabled`), SystemEvents.
"""

from datetime import datetime
from typing import TypeVar

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.http.transport import SMALL_ANSWER
from jobd.docker.mapping.inspection import Inspected, parse_timestamp
from jobd.docker.mapping.models import Info, NetworkInspected
from jobd.jobs.port.errors import EngineUnavailable

T = TypeVar("T")

_BRIDGE = "bridge"


class Uptime:
    """The running process of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def spans(self, container_id: str) -> bool | None:
        """Returns whether the engine process was up before the container's start and is not stopping.

        False: the process started after the container's start or end. None: unknown.
        Raises: EngineUnavailable, also while the engine accepts no new connections.
        """
        found = await self._ask(f"/containers/{container_id}/json", Inspected)
        if found is None:
            return None
        began, ended = parse_timestamp(found.state.started_at), parse_timestamp(found.state.finished_at)
        if began is None or ended is None:
            return None
        info = await self._ask("/info", Info)
        bridge = await self._ask(f"/networks/{_BRIDGE}", NetworkInspected)
        since = None if bridge is None else parse_timestamp(bridge.created)
        if since is not None:
            # Both checks: a clock that was set back must not make a new engine process seem old.
            if since > began or since > ended:
                return False
            if info is not None and not info.live_restore_enabled:
                return True  # with live-restore, the engine keeps a bridge that is in use
        now = None if info is None else parse_timestamp(info.system_time)
        return True if now is not None and await self._remembers(container_id, now) else None

    async def covers_creation(self, container_id: str) -> bool:
        """Returns whether this engine process has created the container; False also if that is unknown.

        Raises: EngineUnavailable, also while the engine accepts no new connections.
        """
        found = await self._ask(f"/containers/{container_id}/json", Inspected)
        created = None if found is None else parse_timestamp(found.created)
        bridge = await self._ask(f"/networks/{_BRIDGE}", NetworkInspected)
        since = None if bridge is None else parse_timestamp(bridge.created)
        if created is None or since is None or since > created:
            return False
        info = await self._ask("/info", Info)
        return info is not None and not info.live_restore_enabled

    async def ended_at_start(self, container_id: str) -> bool:
        """Returns whether this engine process sent the container a signal while the process started.

        An engine without live-restore ends what has outlived its predecessor, before it creates its bridge and answers requests.
        Raises: EngineUnavailable.
        """
        bridge = await self._ask(f"/networks/{_BRIDGE}", NetworkInspected)
        since = None if bridge is None else parse_timestamp(bridge.created)
        return since is not None and await self._remembers(container_id, since, "kill")

    async def _remembers(self, container_id: str, until: datetime, action: str = "start") -> bool:
        """True if the event buffer of this process holds such an event of the container."""
        filters = {"type": ["container"], "container": [container_id], "event": [action]}
        params = {
            "filters": msgspec.json.encode(filters).decode(),
            "since": "0",
            "until": f"{until.timestamp():.6f}",
        }
        async with self._engine.streams.open(
            "GET",
            await self._engine.path("/events"),
            params=params,
            silence_s=self._engine.timeouts.connect_s,
            fresh=True,
        ) as body:
            return bool((await body.read(SMALL_ANSWER)).strip())

    async def _ask(self, path: str, model: type[T]) -> T | None:
        """Returns the answer to GET `path`; None for a 404. Raises: EngineUnavailable."""
        try:
            async with self._engine.streams.open(
                "GET", await self._engine.path(path), silence_s=self._engine.timeouts.connect_s, fresh=True
            ) as body:
                return msgspec.json.decode(await body.read(SMALL_ANSWER), type=model)
        except Refusal as error:
            if error.status == 404:
                return None
            raise EngineUnavailable(error.message) from error
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"the answer to {path} is not a Docker Engine's: {error}") from error
