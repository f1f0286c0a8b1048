"""The Docker adapter's settings: the instance and the limits of its containers. Owns their validation."""

import re
from dataclasses import dataclass

_INSTANCE = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}\Z")
MIN_LOG_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """How one instance of jobd uses the engine.

    `instance` tells two daemons on one engine apart: labels and the network's name contain it.
    `extra_hosts` are `host:ip` or `host:host-gateway`. `log_max_bytes` is how much of one worker's log the engine keeps.
    `sandbox_pool` is the most network sandboxes at once; 0: no job uses one.
    """

    instance: str
    sidecar_image: str = "job-sidecar:latest"
    extra_hosts: tuple[str, ...] = ()
    log_max_bytes: int = 64 * 1024 * 1024
    sandbox_pool: int = 0

    def __post_init__(self) -> None:
        if not _INSTANCE.match(self.instance):
            raise ValueError(f"instance {self.instance!r} must be 1 to 63 letters, digits, '_', '.' or '-'")
        if self.log_max_bytes < MIN_LOG_BYTES:
            raise ValueError(f"log_max_bytes must be at least {MIN_LOG_BYTES}")
