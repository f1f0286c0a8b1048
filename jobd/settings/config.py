"""The settings of jobd as one frozen value, parsed from texts.

Owns the bounds and the checks across settings; all problems are reported at once, and no default replaces an invalid value.
`sources.py` has the values, `parse.py` parses a single text. Reads no global state: callers pass the mapping.

Source: docs/configuration.md, "The daemon".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobd.errors import ConfigError
from jobd.events.delivery.settings import DispatcherSettings
from jobd.events.http.egress import EgressRule, parse_rule
from jobd.settings import parse
from jobd.settings.parse import is_loopback
from jobd.settings.variables import VARIABLES
from jobd.wire.duration import parse_duration

NAMES = frozenset(v.name for v in VARIABLES)
RUNTIME_DIR = "XDG_RUNTIME_DIR"
"""Not a setting of jobd: the folder for a user's sockets."""
DEFAULTS = {v.name: v.default for v in VARIABLES}


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, validated. Durations in seconds, sizes in bytes. `callback_proxy_url` None: direct mode.
    `sandbox_pool` None: as many sandboxes as jobs run at once.
    """

    port: int
    host: str
    metrics_port: int
    metrics_host: str
    api_key_file: Path | None
    tls_cert_file: Path | None
    tls_key_file: Path | None
    names: tuple[str, ...]
    no_auth: bool
    socket: Path
    state_dir: Path
    shutdown_drain_s: float
    sidecar_image: str
    job_retention_s: float
    history_retention_s: float
    maintenance_interval_s: float
    callback_proxy_url: str | None
    extra_hosts: tuple[str, ...]
    max_concurrent_jobs: int
    sandbox_pool: int | None
    engine: str
    kubernetes_context: str
    kubernetes_namespace: str
    kubernetes_pull_secrets: tuple[str, ...]
    engine_error_limit_s: float
    max_queued_jobs: int
    max_timeout_s: float
    max_memory_mb: int
    max_cpus: float
    gpus: tuple[str, ...]
    log_max_bytes: int
    max_upload_bytes: int
    kept_outputs_max_bytes: int
    egress: EgressRule
    allow_cap_add: bool
    allow_mounts: tuple[str, ...]
    allow_devices: tuple[str, ...]
    log_level: str
    log_format: str
    log_file: Path | None
    dispatcher: DispatcherSettings
    callback_timeout_s: float
    upload_timeout_s: float
    upload_retries: int


@dataclass(slots=True)
class _Reader:
    """Reads single settings and collects the problems."""

    values: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def read(self, name: str, of: Callable[[str], Any], fallback: Any) -> Any:
        text = self.values.get(name, DEFAULTS[name])
        try:
            return of(text)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return fallback

    def integer(self, name: str, low: int, high: int) -> int:
        def number(text: str) -> int:
            if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
                raise ValueError(f"must be a whole number from {low} to {high}, not {text[:40]!r}")
            return int(text)

        return int(self.read(name, number, low))

    def duration(self, name: str, *, more_than_zero: bool = False) -> float:
        def seconds_of(text: str) -> float:
            seconds = parse_duration(text)
            if more_than_zero and seconds <= 0:
                raise ValueError("must be more than 0s")
            return seconds

        return float(self.read(name, seconds_of, 1.0))


def from_mapping(values: Mapping[str, str]) -> Config:
    """Returns the settings in `values` (variable name -> text); an absent variable has its default.

    Raises:
        ConfigError: one or more settings are invalid; lists every problem.
    """
    r = _Reader(values)
    port = r.integer("PORT", 0, 65535)
    state_dir = r.read("JOBD_STATE_DIR", parse.state_dir, Path())
    config = Config(
        port=port,
        host=r.read("JOBD_HOST", parse.address, "127.0.0.1"),
        metrics_port=r.integer("METRICS_PORT", 0, 65535),
        metrics_host=r.read("METRICS_HOST", parse.address, "127.0.0.1"),
        api_key_file=r.read("API_KEY_FILE", lambda text: parse.path(text) if text else None, None),
        tls_cert_file=r.read("TLS_CERT_FILE", lambda text: parse.path(text) if text else None, None),
        tls_key_file=r.read("TLS_KEY_FILE", lambda text: parse.path(text) if text else None, None),
        names=r.read("JOBD_NAMES", parse.names, ()),
        no_auth=r.read("JOBD_NO_AUTH", parse.flag, False),
        socket=r.read(
            "JOBD_SOCKET", lambda text: parse.socket(text, state_dir, values.get(RUNTIME_DIR)), Path()
        ),
        state_dir=state_dir,
        shutdown_drain_s=r.duration("SHUTDOWN_DRAIN_WAIT"),
        sidecar_image=r.read("SIDECAR_IMAGE", parse.not_empty, ""),
        job_retention_s=r.duration("JOB_RETENTION"),
        history_retention_s=r.duration("HISTORY_RETENTION"),
        maintenance_interval_s=r.duration("MAINTENANCE_INTERVAL", more_than_zero=True),
        callback_proxy_url=r.read("CALLBACK_PROXY_URL", lambda text: parse.proxy(text, values, port), None),
        extra_hosts=r.read("EXTRA_HOSTS", parse.extra_hosts, ()),
        max_concurrent_jobs=r.read("MAX_CONCURRENT_JOBS", parse.concurrency, 1),
        sandbox_pool=r.read("SANDBOX_POOL", parse.sandbox_pool, None),
        engine=r.read("JOBD_ENGINE", parse.engine, "docker"),
        kubernetes_context=r.read("KUBERNETES_CONTEXT", parse.kubernetes_context, ""),
        kubernetes_namespace=r.read("KUBERNETES_NAMESPACE", parse.kubernetes_namespace, ""),
        kubernetes_pull_secrets=r.read("KUBERNETES_PULL_SECRETS", parse.kubernetes_names, ()),
        engine_error_limit_s=r.duration("ENGINE_ERROR_LIMIT"),
        max_queued_jobs=r.integer("MAX_QUEUED_JOBS", 1, 10_000_000),
        max_timeout_s=r.read("MAX_TIMEOUT", parse.timeout, 1.0),
        max_memory_mb=r.read("MAX_MEMORY", parse.memory, 1),
        max_cpus=r.read("MAX_CPUS", parse.cpus, 1.0),
        gpus=r.read("GPU_DEVICES", parse.gpus, ()),
        log_max_bytes=r.integer("LOG_MAX_BYTES", 1024, 1 << 40),
        max_upload_bytes=r.integer("MAX_UPLOAD_BYTES", 0, 1 << 50),
        kept_outputs_max_bytes=r.integer("KEPT_OUTPUTS_MAX_BYTES", 0, 1 << 50),
        egress=r.read("EGRESS_POLICY", parse_rule, EgressRule()),
        allow_cap_add=r.read("ALLOW_CAP_ADD", parse.flag, False),
        allow_mounts=r.read("ALLOW_MOUNTS", parse.folders, ()),
        allow_devices=r.read("ALLOW_DEVICES", parse.devices, ()),
        log_level=r.read("LOG_LEVEL", parse.log_level, "info"),
        log_format=r.read("LOG_FORMAT", parse.log_format, "auto"),
        log_file=r.read("LOG_FILE", lambda text: parse.path(text).absolute() if text else None, None),
        dispatcher=DispatcherSettings(
            buffer_size=r.integer("DISPATCHER_BUFFER_SIZE", 1, 10_000_000),
            workers=r.integer("DISPATCHER_WORKERS", 1, 1000),
            http_timeout_s=r.duration("DISPATCHER_HTTP_TIMEOUT", more_than_zero=True),
            max_retries=r.integer("DISPATCHER_MAX_RETRIES", 0, 1000),
            initial_backoff_s=r.duration("DISPATCHER_INITIAL_BACKOFF"),
            max_backoff_s=r.duration("DISPATCHER_MAX_BACKOFF"),
            breaker_threshold=r.integer("DISPATCHER_BREAKER_THRESHOLD", 1, 1_000_000),
            breaker_cooldown_s=r.duration("DISPATCHER_BREAKER_COOLDOWN"),
            max_requeues=r.integer("DISPATCHER_MAX_REQUEUES", 0, 1_000_000),
        ),
        callback_timeout_s=r.duration("CALLBACK_TIMEOUT", more_than_zero=True),
        upload_timeout_s=r.duration("UPLOAD_TIMEOUT", more_than_zero=True),
        upload_retries=r.integer("UPLOAD_RETRIES", 0, 1000),
    )
    if config.tls_key_file is not None and config.tls_cert_file is None:
        r.problems.append("TLS_KEY_FILE: a key needs a certificate; set TLS_CERT_FILE as well")
    if config.no_auth and not is_loopback(config.host):
        r.problems.append("JOBD_NO_AUTH: only loopback may be used without a key; set JOBD_HOST=127.0.0.1")
    elif not is_loopback(config.host) and config.tls_cert_file is None:
        r.problems.append("JOBD_HOST: addresses other than loopback need TLS; set TLS_CERT_FILE")
    if r.problems:
        raise ConfigError(r.problems)
    return config
