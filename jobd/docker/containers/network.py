"""The network of one instance of jobd: created on first use, and again when missing.

jobd removes the network when jobd stops and no container runs in it, also a network from an earlier process of this
instance. `container_spec.py` has the request body.
"""

import asyncio
import contextlib

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.mapping import container_spec, labels
from jobd.docker.mapping.models import ListedNetwork
from jobd.jobs.port.errors import EngineError, EngineUnavailable, RefusedByEngine

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
                if self._making is None or self._making.done():
                    self._making = asyncio.create_task(self._make(), name="make network")
                # A caller that was cancelled leaves the request to the engine: the next one waits for its end.
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
        try:
            async with asyncio.timeout(RELEASE_S):
                if self._making is not None:
                    # The engine completes the request even if the caller was cancelled.
                    await asyncio.gather(self._making, return_exceptions=True)
                for network in await self._own():
                    await self._remove(network.id)
        except (Refusal, EngineError, TimeoutError):
            return  # the engine is unavailable or refuses: jobd uses the network again after its next start
        finally:
            self._seen = False

    async def _remove(self, network_id: str) -> None:
        while not await self._engine.runs_in_network(network_id):
            try:
                await self._engine.remove_network(network_id)
                return
            except Refusal as error:
                if error.status == 404:
                    return
                await asyncio.sleep(RELEASE_AGAIN_S)

    async def _make(self) -> None:
        name = labels.network_name(self._instance)
        if not await self._own():
            try:
                await self._engine.create_network(container_spec.network_body(self._instance))
            except Refusal as error:
                if error.status != 409:
                    raise port_error("network", error) from error
            except ServerError as error:
                raise port_error("network", error) from error
        # A process that was killed may have asked for the network as well: the engine refuses a start if a name is ambiguous.
        found = await self._own()
        if not found:
            raise EngineUnavailable(f"the network {name!r} was removed while jobd created it", answered=True)
        for network in found[1:]:
            with contextlib.suppress(Refusal):
                await self._engine.remove_network(network.id)

    async def _own(self) -> list[ListedNetwork]:
        """Returns this instance's networks, the oldest first. Raises: RefusedByEngine: a foreign network has the name."""
        found = await self._engine.networks(labels.network_name(self._instance))
        own = [one for one in found if labels.is_owned(one.labels, self._instance)]
        if found and not own:
            name = found[0].name
            foreign = RefusedByEngine(f"the network {name!r} exists, and this jobd did not create it")
            foreign.remedy = f"docker network rm {name}"
            raise foreign
        return own
