"""The operator's limits on what one job may request on this host. Pure."""

from dataclasses import dataclass

from jobd.errors import InvalidRequest
from jobd.wire.duration import format_duration
from jobd.wire.job import JobSpec

_CODE = "invalid-spec"


@dataclass(frozen=True, slots=True)
class Caps:
    """Seconds from the worker's start, MB (MiB, as the engine counts) and cores. The defaults are those of the settings."""

    timeout_s: float = 86400.0
    memory_mb: int = 65536
    cpus: float = 64.0

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidRequest if a job requests more, also by a default of the contract; the error names the setting."""
        if spec.cpu_cores > self.cpus:
            raise _over("cpu", f"{spec.cpu_cores:g} cores", f"{self.cpus:g} cores", "MAX_CPUS")
        if spec.memory_mb > self.memory_mb:
            raise _over("memory", f"{spec.memory_mb} MB", f"{self.memory_mb} MB", "MAX_MEMORY")
        if spec.timeout_s > self.timeout_s:
            requested, most = format_duration(spec.timeout_s), format_duration(self.timeout_s)
            raise _over("timeoutSeconds", requested, most, "MAX_TIMEOUT")


def _over(field: str, requested: str, most: str, setting: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: asks for {requested}; this daemon gives a job at most {most} ({setting}, set by its operator)",
        code=_CODE,
        field=field,
    )
