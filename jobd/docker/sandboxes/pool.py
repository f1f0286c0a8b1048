"""The pool of network sandboxes: most of a container's start is its network, and a sandbox has it already.

Owns which sandboxes exist. `demand.py` decides how many are wanted, `leases.py` which job uses which, `network_state.py` whether a
sandbox may serve another job. Every failure here means a plain start: jobs never depend on the pool.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable

from jobd.docker.containers.network import Network
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes import sandbox_spec
from jobd.docker.sandboxes.demand import Demand
from jobd.docker.sandboxes.leases import Leases
from jobd.docker.sandboxes.sandbox import Sandbox, remove_sandbox, start_sandbox
from jobd.jobs.port.errors import EngineError, EngineUnavailable, ImageUnavailable
from jobd.jobs.port.model import JobRef
from jobd.wire.job import JobSpec

log = logging.getLogger(__name__)

MAX_LEASES = 100
"""After so many jobs a sandbox is replaced."""
RECONCILE_S = 30.0
"""A missed event, or a sandbox that the engine created for a process that was killed meanwhile, is found after this time."""
CLOSE_LIMIT_S = 10.0
IMAGE_PAUSE_S = 600.0
"""A pull or a build of the image that has failed is not repeated at once."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_ENDED = ("exited", "dead", "removing")


class SandboxPool:
    """The sandboxes of one jobd on one engine. Nothing runs before `connected`."""

    def __init__(
        self,
        engine: Engine,
        settings: DockerSettings,
        network: Network,
        *,
        on_broken: Callable[[JobRef], None],
        ensure_image: Callable[[], Awaitable[object]],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._network = network
        self._on_broken = on_broken
        self._ensure_image = ensure_image
        self._demand = Demand(settings.sandbox_pool)
        self._leases = Leases()
        self._sandboxes: dict[str, Sandbox] = {}
        """All sandboxes of this process by container id, leased ones included."""
        self._ready: list[Sandbox] = []
        self._foreign: set[str] = set()
        """Sandboxes of an earlier process whose jobs still run: they are removed with the last container."""
        self._filler: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._reconcile_at = 0.0
        """When the engine is asked next, by the event loop's clock; 0: at once."""

    @property
    def _is_on(self) -> bool:
        return self._settings.sandbox_pool > 0

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def connected(self) -> None:
        """The engine's events are connected, for the first time or again: sandboxes of an engine that has stopped are gone."""
        self._reconcile_at = 0.0
        self._wake.set()
        if self._filler is None:
            self._filler = asyncio.create_task(self._run(), name="sandbox pool")

    async def lease(self, ref: JobRef, spec: JobSpec) -> str | None:
        """Returns the sandbox that the containers of this attempt join; None: a network of their own.

        The lease lasts until `ended` was called for all containers of `joined`, or until `release`.
        """
        held = self._leases.of(ref)
        if held is not None and not held.is_broken and held.sandbox_id is not None:
            held.is_creating = True
            return held.sandbox_id
        if not self._is_on or not sandbox_spec.may_join(spec):
            return None
        sandbox = await self._take()
        self._leases.begin(ref, None if sandbox is None else sandbox.id)
        self._changed()
        return None if sandbox is None else sandbox.id

    def joined(self, ref: JobRef, container_ids: Iterable[str]) -> None:
        """The containers of this attempt exist."""
        self._leases.joined(ref, container_ids)

    def ended(self, container_id: str) -> None:
        """A container has ended for good: one of a job, or a sandbox."""
        if container_id in self._leases.sandbox_ids:
            self._foreign.discard(container_id)
            self._broken(container_id)
        if (sandbox_id := self._leases.ended(container_id)) is not None:
            self._free(sandbox_id)
        self._changed()

    def release(self, uid: str) -> None:
        """The job's containers are removed, were not created, or are not started any more."""
        for sandbox_id in self._leases.end_all(uid):
            self._free(sandbox_id)
        self._changed()

    async def close(self) -> None:
        """Removes the sandboxes that no job uses, also those of an earlier process. The others outlive jobd. Never raises."""
        if self._filler is None:
            return
        self._filler.cancel()
        await asyncio.gather(self._filler, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                # The engine may have created one for a process that was killed meanwhile.
                await self._reconcile()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                leased = self._leases.sandbox_ids
                await asyncio.gather(
                    *(self._remove(one) for one in list(self._sandboxes.values()) if one.id not in leased)
                )
        except (Refusal, EngineError, TimeoutError):
            pass  # without their connection, sandboxes end by themselves
        await asyncio.gather(*(one.close() for one in self._sandboxes.values()))

    async def _take(self) -> Sandbox | None:
        while self._ready:
            sandbox = self._ready.pop()
            try:
                await sandbox.lease()
            except EngineUnavailable:
                self._start(self._remove(sandbox))
            else:
                return sandbox
        return None

    def _free(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is not None:
            self._start(self._reset(sandbox))
        elif sandbox_id in self._foreign:
            self._foreign.discard(sandbox_id)
            self._start(remove_sandbox(self._engine, sandbox_id))

    async def _reset(self, sandbox: Sandbox) -> None:
        """Makes the sandbox ready for another job if the last one has left no trace in the namespace; removes it otherwise."""
        try:
            is_clean = await sandbox.report() == sandbox.fresh
            self._demand.released(is_clean)
            if is_clean and sandbox.leases < MAX_LEASES:
                await sandbox.release()
                self._ready.append(sandbox)
                return
        except EngineUnavailable:
            pass
        await self._remove(sandbox)
        self._wake.set()

    async def _remove(self, sandbox: Sandbox) -> None:
        self._sandboxes.pop(sandbox.id, None)
        await sandbox.close()
        await remove_sandbox(self._engine, sandbox.id)

    def _on_end(self, sandbox: Sandbox) -> None:
        if self._sandboxes.pop(sandbox.id, None) is None:
            return
        if sandbox.id in self._leases.sandbox_ids:
            # The sandbox has ended, which an event of the engine tells, or the connection alone, which jobd cannot open again.
            self._foreign.add(sandbox.id)
        else:
            if sandbox in self._ready:
                self._ready.remove(sandbox)
            self._start(remove_sandbox(self._engine, sandbox.id))
        self._wake.set()

    def _broken(self, sandbox_id: str) -> None:
        ref = self._leases.broken(sandbox_id)
        if ref is not None:
            log.warning(
                "the network sandbox of a job has ended before the job's containers",
                extra={"action": "sandbox", "job": ref.id, "container": sandbox_id[:12]},
            )
            self._on_broken(ref)

    def _changed(self) -> None:
        self._demand.changed(len(self._leases), self._now)
        self._wake.set()

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="sandbox")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self) -> None:
        """Keeps as many sandboxes ready as are wanted; after a failure pauses, longer each time."""
        pause_s = _FIRST_PAUSE_S
        while True:
            self._wake.clear()
            try:
                if self._now >= self._reconcile_at:
                    await self._reconcile()
                while await self._adjust():
                    pause_s = _FIRST_PAUSE_S
            except (Refusal, EngineError) as error:
                log.info(
                    "cannot start a network sandbox; jobs start without one",
                    extra={"action": "sandbox", "error": str(error), "again_in_s": pause_s},
                )
                self._network.forget()
                await asyncio.sleep(IMAGE_PAUSE_S if isinstance(error, ImageUnavailable) else pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            try:
                async with asyncio.timeout_at(self._reconcile_at):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _adjust(self) -> bool:
        """Starts or removes one sandbox; returns whether another one may be needed."""
        wanted = self._demand.wanted(self._now)
        total = len(self._sandboxes.keys() | self._leases.sandbox_ids)
        if total > wanted and self._ready:
            await self._remove(self._ready.pop(0))
            return True
        if total >= wanted:
            return False
        await self._ensure_image()
        await self._network.ensure()
        # The engine completes a create whose client has left: `close` waits for this task, and removes the sandbox.
        await asyncio.shield(self._start(self._add()))
        return True

    async def _add(self) -> None:
        sandbox = await start_sandbox(self._engine, self._settings, self._on_end)
        if sandbox.has_ended:
            raise EngineUnavailable("a network sandbox ended at once", answered=True)
        self._sandboxes[sandbox.id] = sandbox
        self._ready.append(sandbox)

    async def _reconcile(self) -> None:
        """Compares with the engine: ends leases whose containers are gone, adopts or removes the sandboxes of an earlier process."""
        settled = self._leases.settled()
        instance = self._settings.instance
        listed = await self._engine.containers(labels.instance_labels(instance))
        self._reconcile_at = self._now + RECONCILE_S
        alive: dict[JobRef, set[str]] = {}
        users: dict[str, set[JobRef]] = {}
        for one in listed:
            ref = labels.ref_of(one.labels, instance)
            if ref is None or one.state in _ENDED:
                continue
            alive.setdefault(ref, set()).add(one.id)
            users.setdefault(inspection.joined_container(one.host_config.network_mode), set()).add(ref)
        for sandbox_id in self._leases.reconcile(settled, alive):
            self._free(sandbox_id)
        running = {one.id for one in listed if one.state == "running"}
        for sandbox_id in self._leases.sandbox_ids & self._foreign - running:
            self._foreign.discard(sandbox_id)
            self._broken(sandbox_id)
        for one in listed:
            if one.id in self._sandboxes or not sandbox_spec.is_sandbox(one.labels, instance):
                continue
            if one.id not in users:
                self._foreign.discard(one.id)
                await remove_sandbox(self._engine, one.id)
                continue
            self._foreign.add(one.id)
            for ref in users[one.id]:
                self._leases.adopt(ref, one.id, alive[ref])
        if not self._is_on and not self._foreign:
            self._reconcile_at = math.inf
        self._changed()
