"""jobd's version and engine, and the disk usage of its jobs."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import DiskUse
from jobd.jobs.port.protocols import DiskMeasurement
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.process.state_folder import StateFolder, sizes
from jobd.settings.config import Config
from jobd.store.store import Store
from jobd.wire.views.daemon import Disk, Kept, Version

VERSION = version("jobd")


class About:
    """Answers `GET /v1/version` and `GET /v1/disk`."""

    def __init__(
        self,
        config: Config,
        instance: str,
        folder: StateFolder,
        store: Store,
        engine: DiskMeasurement,
        engine_monitor: EngineMonitor,
        queue: AdmissionQueue,
        outputs: KeptOutputs,
        remedies: Mapping[str, Sequence[str]],
        limits: Mapping[str, str],
    ) -> None:
        self._config = config
        self._instance = instance
        self._folder = folder
        self._store = store
        self._engine = engine
        self._engine_monitor = engine_monitor
        self._queue = queue
        self._outputs = outputs
        self._remedies = remedies
        self._limits = limits

    def version(self) -> Version:
        """Returns the known facts; sends no request."""
        facts = self._engine_monitor.facts
        return Version(
            version=VERSION,
            instance=self._instance,
            engine=self._about_engine(),
            sidecar_image=self._config.sidecar_image,
            sidecar_image_present=facts.has_sidecar_image if facts else None,
            state_dir=str(self._folder.path),
            max_concurrent_jobs=self._queue.limit,
            engine_problems=list(facts.problems) if facts and not self._engine_monitor.trouble else [],
            engine_limits=dict(self._limits),
            warnings=[self._store.warning] if self._store.warning else [],
            remedies={problem: list(texts) for problem, texts in self._remedies.items()},
        )

    async def disk(self) -> Disk:
        """Measures the state folder, and the engine if available; may take seconds. Raises OSError."""
        free, database, uploads = await asyncio.to_thread(sizes, self._folder)
        kept = await asyncio.to_thread(self._outputs.sizes)
        try:
            use: DiskUse | None = await self._engine.disk_use()
        except EngineUnavailable:
            use = None
        return Disk(
            state_dir=str(self._folder.path),
            free_bytes=free,
            database_bytes=database,
            uploads=Kept(count=len(uploads), bytes=sum(uploads)),
            outputs=Kept(count=len(kept), bytes=sum(kept)),
            containers=Kept(count=use.containers, bytes=use.container_bytes) if use else None,
            volumes=Kept(count=use.volumes, bytes=use.volume_bytes) if use else None,
        )

    def _about_engine(self) -> dict[str, object]:
        facts = self._engine_monitor.facts
        if facts is None or self._engine_monitor.trouble:
            return {}
        return {
            "name": self._config.engine,
            "version": facts.version,
            "apiVersion": facts.api_version,
            "platform": facts.platform,
            "cpus": facts.cpus,
            "memoryBytes": facts.memory_bytes,
            **facts.details,
        }
