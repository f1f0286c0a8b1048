"""The engine's facts and the resources that this instance uses: CPU, memory, containers, volumes.

Source: Docker Engine API, SystemInfo, SystemDataUsage, ContainerStats.
"""

import asyncio

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal
from jobd.docker.http.probe import is_answering
from jobd.docker.mapping import labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes import sandbox_spec
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import DiskUse, EngineFacts, JobRef, Usage

_USUAL_PATHS = (
    "/run/docker.sock",
    "/run/docker",
    "/run/containerd",
    "/run/podman",
    "/var/lib/docker",
    "/var/lib/containerd",
)
"""Sockets and data of engines, which may have other names than those that jobd uses."""


class Sizes:
    """Measures one engine for one instance."""

    def __init__(self, engine: Engine, settings: DockerSettings) -> None:
        self._engine = engine
        self._settings = settings

    async def probe(self) -> EngineFacts:
        """Returns the engine's facts. Raises EngineUnavailable, also if the engine is stopping and accepts no new connections."""
        version, info, sidecar = await asyncio.gather(
            self._engine.version(fresh=True),
            self._engine.info(),
            self._engine.inspect_image(self._settings.sidecar_image),
        )
        if not await is_answering(self._engine.endpoint, self._engine.timeouts.connect_s):
            raise EngineUnavailable(f"{self._engine.endpoint.url} accepts no new connections")
        return EngineFacts(
            name="docker",
            version=version.version,
            api_version=version.negotiated,
            cpus=info.cpus,
            memory_bytes=info.mem_total,
            platform=f"{version.os}/{version.arch}",
            has_sidecar_image=sidecar is not None,
            details={
                "address": self._engine.endpoint.url,
                "system": info.operating_system,
                "kernel": info.kernel_version,
                "storage": info.driver,
                "cgroup": f"{info.cgroup_driver} v{info.cgroup_version}",
                "runtimes": ", ".join(sorted(info.runtimes or {})),
                "security": ", ".join(info.security_options or []),
                "init": "yes" if self._engine.has_init else "no",
            },
            shares_files=self._engine.endpoint.socket_path is not None,
            own_paths=_own_paths(self._engine.endpoint.socket_path, info.docker_root_dir),
        )

    async def usage(self, container_id: str) -> Usage | None:
        """Measures a running container; None if the container does not run. Raises EngineUnavailable."""
        try:
            stats = await self._engine.stats(container_id)
        except Refusal:
            return None
        memory = max(stats.memory_stats.usage, stats.memory_stats.max_usage)
        if not memory:
            return None
        return Usage(stats.cpu_stats.cpu_usage.total_usage / 1e9, memory)

    async def refs(self) -> list[JobRef]:
        """Lists the jobs of this instance that have a container or a volume."""
        selector = labels.instance_labels(self._settings.instance)
        containers, volumes = await asyncio.gather(
            self._engine.containers(selector), self._engine.labels_of_volumes(selector)
        )
        found = (
            labels.ref_of(entry, self._settings.instance)
            for entry in [*(one.labels for one in containers), *volumes]
        )
        return list(dict.fromkeys(ref for ref in found if ref is not None))

    async def disk_use(self) -> DiskUse:
        """Measures the containers and volumes of this instance's jobs. Raises EngineUnavailable."""
        usage = await self._engine.disk_usage()
        instance = self._settings.instance
        containers = [
            one
            for one in usage.containers or []
            if labels.is_owned(one.labels, instance) and not sandbox_spec.is_sandbox(one.labels, instance)
        ]
        volumes = [one for one in usage.volumes or [] if labels.is_owned(one.labels, instance)]
        return DiskUse(
            containers=len(containers),
            container_bytes=sum(max(0, one.size_rw) for one in containers),
            volumes=len(volumes),
            volume_bytes=sum(max(0, one.usage_data.size) for one in volumes if one.usage_data),
        )


def _own_paths(socket_path: str | None, root: str) -> tuple[str, ...]:
    """Returns the paths with which a container could command the engine, or read the files of other containers."""
    return (*_USUAL_PATHS, *(path for path in (socket_path, root) if path))
