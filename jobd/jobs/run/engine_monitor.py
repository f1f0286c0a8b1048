"""Monitors the engine: whether the engine answers, the size of its host, and the engine's hints.

Owns the last answer, which health and admission read; no request waits for the engine.
"""

import contextlib
import logging
from collections.abc import Callable

from jobd.clock import Clock
from jobd.errors import InvalidRequest
from jobd.jobs.port.errors import EngineError
from jobd.jobs.port.hints import Connected
from jobd.jobs.port.model import EngineFacts
from jobd.jobs.port.protocols import Monitored
from jobd.jobs.record.text_limits import short
from jobd.jobs.run.supervisors import Supervisors
from jobd.wire.job import JobSpec

ASK_AGAIN_S = 5.0

log = logging.getLogger(__name__)


class EngineMonitor:
    """`facts` is the latest answer, None before the first; `trouble` is the last error, None while the engine answers. `on_facts`
    gets each answer.
    """

    def __init__(
        self,
        engine: Monitored,
        supervisors: Supervisors,
        clock: Clock,
        on_facts: Callable[[EngineFacts], None] = lambda facts: None,
    ) -> None:
        self._on_facts = on_facts
        self._engine = engine
        self._supervisors = supervisors
        self._clock = clock
        self.facts: EngineFacts | None = None
        self.trouble: str | None = "not asked yet"

    async def ask(self) -> None:
        """Asks the engine once for its facts."""
        try:
            self.facts = await self._engine.probe()
        except EngineError as error:
            if self.trouble is None:
                log.warning("engine unreachable", extra={"action": "probe", "error": str(error)})
            self.trouble = short(str(error))
        else:
            self.trouble = None
            self._on_facts(self.facts)

    async def keep_asking(self) -> None:
        """Asks every few seconds, for ever."""
        while True:
            await self._clock.sleep(ASK_AGAIN_S)
            await self.ask()

    async def listen(self) -> None:
        """Passes the engine's hints on to the supervisors, for ever. The first connect asks for the facts, for which all jobs wait."""
        async with contextlib.aclosing(self._engine.hints()) as hints:
            async for hint in hints:
                if isinstance(hint, Connected) and self.facts is None:
                    await self.ask()
                self._supervisors.hint(hint)

    def check_fits(self, spec: JobSpec) -> None:
        """Raises InvalidRequest if this engine or its host can never run the job. Without an answer of the engine so far, the host's size is
        unknown.
        """
        lacking = self._engine.unsupported(spec)
        if lacking is not None:
            raise InvalidRequest(lacking.reason, field=lacking.field)
        if self.facts is None:
            return
        if spec.cpu_cores > self.facts.cpus and spec.cpu:
            raise InvalidRequest(
                f"cpu: asks for {spec.cpu:g} cores; this host has {self.facts.cpus} cores", field="cpu"
            )
        host_mb = self.facts.memory_bytes // (1024 * 1024)
        if spec.memory_mb > host_mb:
            raise InvalidRequest(
                f"memory: asks for {spec.memory_mb} MB; this host has {host_mb} MB", field="memory"
            )
