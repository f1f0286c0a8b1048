"""The network of one instance of jobd: created on first use, and again when missing.

jobd removes the network when jobd stops and no container runs in it, also a network from an earlier process of this
instance. `container_spec.py` has the request body.
"""

import asyncio

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.mapping import container_spec, labels
from jobd.jobs.port.errors import EngineError, RefusedByEngine

RELEASE_S = 5.0
RELEASE_AGAIN_S = 0.1


class Network:
    """Remembers that the network exists; call `forget` when a start fails because the network is missing."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._seen = False
        self._lock = asyncio.Lock()
        self._making: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Returns once the network exists; only the first call makes requests.

        Raises: RefusedByEngine: a foreign network has the name. EngineUnavailable: no network can be created now.
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
        """Removes the network unless a container runs in it, or the network is foreign. Never raises.

        If a created container is started later, the start creates the network again. A container that was just removed may still
        be attached: the network's removal is retried while no container runs in it.
        """
        name = labels.network_name(self._instance)
        try:
            async with asyncio.timeout(RELEASE_S):
                if self._making is not None:
                    # The engine completes the request even if the caller was cancelled.
                    await asyncio.gather(self._making, return_exceptions=True)
                while labels.is_owned(await self._engine.network_labels(name), self._instance):
                    if await self._engine.runs_in_network(name):
                        return
                    try:
                        await self._engine.remove_network(name)
                        return
                    except Refusal:
                        await asyncio.sleep(RELEASE_AGAIN_S)
        except (Refusal, EngineError, TimeoutError):
            return  # the engine is unavailable or refuses: jobd uses the network again after its next start
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
                    raise port_error("network", error) from error
                found = await self._engine.network_labels(name)
            except ServerError as error:
                raise port_error("network", error) from error
            else:
                return
        if not labels.is_owned(found, self._instance):
            foreign = RefusedByEngine(f"the network {name!r} exists, and this jobd did not create it")
            foreign.remedy = f"docker network rm {name}"
            raise foreign
