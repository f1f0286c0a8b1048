"""The network of one instance of jobd: made on first need, made again when it has gone.

Owns that it exists and that it is ours, and that it goes when jobd ends and no job runs in it, whichever process of this
instance made it. What it is like stands in
`container_spec.py`.
"""

import asyncio

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, Trouble, meant
from jobd.docker.mapping import container_spec, labels
from jobd.jobs.port.errors import EngineError, RefusedByEngine

RELEASE_S = 5.0
RELEASE_AGAIN_S = 0.1


class Network:
    """Keeps in mind that the network was seen; `forget` when a start says that it is gone."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._seen = False
        self._lock = asyncio.Lock()
        self._making: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Returns once the network exists. Costs nothing after the first time.

        Raises: RefusedByEngine: the name is taken by a foreign network. EngineUnavailable: no network can be made now.
        """
        if self._seen:
            return
        async with self._lock:
            if not self._seen:
                self._making = asyncio.create_task(self._make(), name="make network")
                await asyncio.shield(self._making)
                self._seen = True

    def forget(self) -> None:
        """The next `ensure` asks the engine again."""
        self._seen = False

    async def release(self) -> None:
        """Removes the network unless a job still runs in it, or it is not ours. Never raises.

        A container that was made and is started later finds it again: a start that misses it makes it anew. A container that was
        removed a moment ago may still be in the network: its removal is tried again while none runs in there.
        """
        name = labels.network_name(self._instance)
        try:
            async with asyncio.timeout(RELEASE_S):
                if self._making is not None:
                    # Its caller may be gone, the engine makes it all the same.
                    await asyncio.gather(self._making, return_exceptions=True)
                while labels.is_ours(await self._engine.network_labels(name), self._instance):
                    if await self._engine.runs_in_network(name):
                        return
                    try:
                        await self._engine.remove_network(name)
                        return
                    except Refusal:
                        await asyncio.sleep(RELEASE_AGAIN_S)
        except (Refusal, EngineError, TimeoutError):
            return  # the engine is away, or does not let go of it: it is used again after the next start
        finally:
            self._seen = False

    async def _make(self) -> None:
        name = labels.network_name(self._instance)
        found = await self._engine.network_labels(name)
        if found is None:
            try:
                await self._engine.create_network(container_spec.network_body(self._instance))
            except Refusal as error:
                if error.status != 409:
                    raise meant("network", error) from error
                found = await self._engine.network_labels(name)
            except Trouble as error:
                raise meant("network", error) from error
            else:
                return
        if not labels.is_ours(found, self._instance):
            foreign = RefusedByEngine(f"the network {name!r} exists and is not this jobd's")
            foreign.remedy = f"docker network rm {name}"
            raise foreign
