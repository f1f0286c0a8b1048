"""The cluster of the tests under the contract suite: behaviours become shell lines for busybox. `make test-kubernetes` sets it up."""

import asyncio
import shlex
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jobd.clock import SystemClock
from jobd.jobs.port.model import ContainerFacts, EndCause, JobRef, WorkOrder
from jobd.jobs.port.protocols import EnginePort
from jobd.kubernetes.http.client import Client
from jobd.kubernetes.http.kubeconfig import access as kubeconfig_access
from jobd.kubernetes.mapping.settings import KubernetesSettings
from jobd.kubernetes.orchestrator import KubernetesOrchestrator
from jobd.kubernetes.pods.api import PodApi
from jobd.wire.job import JobSpec
from scripts.kubernetes.places import ADMIN, NAMESPACE
from tests.contract.worlds import Ability, Behaviour, World, observed_until
from tests.support.kubernetes.api_proxy import ApiProxy
from tests.support.kubernetes.cluster import IMAGE, SIDECAR_IMAGE, jobds_kubeconfig
from tests.support.progress import Progress

DEADLINE_S = 300.0


class KubernetesWorld:
    """A cluster behind a proxy. `outsider`: the API with an administrator's rights, for what somebody else does."""

    deadline_s = DEADLINE_S
    without = frozenset(EndCause) - {EndCause.OWN_EXIT, EndCause.SIGNAL, EndCause.OUT_OF_MEMORY}
    keeps_files = False
    lacks = frozenset(Ability)
    image = IMAGE

    def __init__(self, instance: str, kubeconfig: Path, proxy: ApiProxy) -> None:
        self.kubernetes = KubernetesOrchestrator(
            KubernetesSettings(instance, SIDECAR_IMAGE), environ={"KUBECONFIG": str(kubeconfig)}
        )
        self.orchestrator: EnginePort = self.kubernetes
        self.made: set[JobRef] = set()
        self._proxy = proxy
        access = kubeconfig_access({"KUBECONFIG": str(ADMIN)}, namespace=NAMESPACE)
        self._outsider = PodApi(Client(access, SystemClock()), instance)

    async def close(self) -> None:
        await asyncio.gather(*(self.kubernetes.remove(ref) for ref in self.made))
        await self.kubernetes.close()
        await self._outsider.client.close()

    def work(
        self,
        ref: JobRef,
        behaviour: Behaviour,
        *,
        sidecar: bool = False,
        files: Path | None = None,
        image_ready: bool = False,
        sources: Mapping[str, JobRef] | None = None,
        **fields: Any,
    ) -> WorkOrder:
        self.made.add(ref)
        command: str | list[str] = ["/no/such/command"] if behaviour.missing else _script(behaviour)
        secrets = dict.fromkeys(behaviour.shows, "")
        small = {"cpu": 0.05, "memory": 32}
        fields = {"command": command, "secrets": secrets, "pull": "never", **small, **fields}
        spec = JobSpec(**{"id": ref.id, "image": self.image, **fields})
        return WorkOrder(ref, spec, sidecar, files, image_ready, sources=sources or {})

    def command(self, behaviour: Behaviour) -> tuple[str, ...]:
        return ("no-such-command",) if behaviour.missing else ("sh", "-c", _script(behaviour))

    async def interrupt_hints(self) -> None:
        await asyncio.to_thread(self._proxy.cut)

    async def kill_from_outside(self, ref: JobRef) -> None:
        for pod in await self._outsider.of_job(ref):
            await self._outsider.delete(pod, 1)

    async def end_for(self, cause: EndCause, ref: JobRef) -> tuple[EnginePort, ContainerFacts]:
        if cause is EndCause.OUT_OF_MEMORY:
            order = self.work(ref, Behaviour(), command=["tail", "/dev/zero"], memory=16)
        else:
            order = self.work(ref, Behaviour(stays=cause is EndCause.SIGNAL, exit_code=3))
        await self.orchestrator.prepare(order, Progress())
        await self.orchestrator.start_worker(ref)
        if cause is EndCause.SIGNAL:
            await observed_until(
                self, ref, lambda seen: seen.worker is not None and seen.worker.started_at is not None
            )
            await self.kill_from_outside(ref)
        seen = await observed_until(self, ref, lambda seen: seen.worker is not None and seen.worker.ended)
        assert seen.worker is not None
        return self.orchestrator, seen.worker


def _script(behaviour: Behaviour) -> str:
    script = [f"printf %s {shlex.quote(text)} > {path}" for path, text in behaviour.writes.items()]
    script += [f"echo {shlex.quote(line)}" for line in behaviour.lines]
    script += [f"echo {shlex.quote(line)} >&2" for line in behaviour.errors]
    script += [
        f"cat /run/secrets/{name} 2>/dev/null && echo || echo no secret {name} >&2"
        for name in behaviour.shows
    ]
    script += [f"printf %s {shlex.quote(behaviour.rest)}"]
    script += ["cat"] if behaviour.copies else []
    script += ["exec sleep 3600"] if behaviour.stays else [f"exit {behaviour.exit_code}"]
    return "; ".join(script)


@asynccontextmanager
async def kubernetes_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("k")
    instance = f"contract-{uuid.uuid4().hex[:8]}"
    with ApiProxy() as proxy:
        world = KubernetesWorld(instance, jobds_kubeconfig(folder, proxy.port), proxy)
        try:
            yield world
        finally:
            await world.close()
