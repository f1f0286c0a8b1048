"""Every setting: its default, a set value, a wrong one; all problems at once."""

import os
from ipaddress import ip_network
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from jobd.events.http.egress import EgressRule
from jobd.settings.config import NAMES, from_mapping
from jobd.settings.sources import from_sources
from jobd.settings.variables import VARIABLES
from tests.unit.jobd.settings.problems import problems

CORES = os.cpu_count() or 1


# Variable, attribute, value by default, a text, its value.
ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("PORT", "port", 8080, "9000", 9000),
    ("JOBD_HOST", "host", "127.0.0.1", "::1", "::1"),
    ("METRICS_PORT", "metrics_port", 9090, "0", 0),
    ("METRICS_HOST", "metrics_host", "127.0.0.1", "172.17.0.1", "172.17.0.1"),
    ("API_KEY_FILE", "api_key_file", None, "/etc/key", Path("/etc/key")),
    ("TLS_CERT_FILE", "tls_cert_file", None, "/etc/cert", Path("/etc/cert")),
    ("TLS_KEY_FILE", "tls_key_file", None, "/etc/tls-key", Path("/etc/tls-key")),
    ("JOBD_NAMES", "names", (), "Box.example, box", ("box.example", "box")),
    ("JOBD_NO_AUTH", "no_auth", False, "true", True),
    ("MAX_TIMEOUT", "max_timeout_s", 86400, "168h", 7 * 86400),
    ("MAX_MEMORY", "max_memory_mb", 65536, "1.5g", 1536),
    ("MAX_CPUS", "max_cpus", 64, "0.5", 0.5),
    ("GPU_DEVICES", "gpus", (), "0, GPU-3a-f,nvidia.com/gpu=1", ("0", "GPU-3a-f", "nvidia.com/gpu=1")),
    ("ALLOW_CAP_ADD", "allow_cap_add", False, "true", True),
    ("ALLOW_MOUNTS", "allow_mounts", (), "/srv/data, /home/x", ("/srv/data", "/home/x")),
    ("ALLOW_DEVICES", "allow_devices", (), "/dev/fuse,/dev/dri/", ("/dev/fuse", "/dev/dri")),
    ("SANDBOX_POOL", "sandbox_pool", None, "4", 4),
    (
        "JOBD_SOCKET",
        "socket",
        Path("/home/x/.local/state/jobd/jobd.sock"),
        "/run/x.sock",
        Path("/run/x.sock"),
    ),
    (
        "JOBD_STATE_DIR",
        "state_dir",
        Path("/home/x/.local/state/jobd"),
        "/var/lib/jobd",
        Path("/var/lib/jobd"),
    ),
    ("SHUTDOWN_DRAIN_WAIT", "shutdown_drain_s", 5, "1m", 60),
    ("SIDECAR_IMAGE", "sidecar_image", "job-sidecar:latest", "x:1", "x:1"),
    ("JOB_RETENTION", "job_retention_s", 900, "0s", 0),
    ("HISTORY_RETENTION", "history_retention_s", 168 * 3600, "24h", 86400),
    ("MAINTENANCE_INTERVAL", "maintenance_interval_s", 60, "500ms", 0.5),
    (
        "CALLBACK_PROXY_URL",
        "callback_proxy_url",
        "http://host.docker.internal:8080",
        "https://h:9/",
        "https://h:9",
    ),
    (
        "EXTRA_HOSTS",
        "extra_hosts",
        (),
        "db:10.0.0.1, x.y:host-gateway,v6:[fd00::1]",
        ("db:10.0.0.1", "x.y:host-gateway", "v6:[fd00::1]"),
    ),
    ("MAX_CONCURRENT_JOBS", "max_concurrent_jobs", 4 * CORES, "3", 3),
    ("KEPT_OUTPUTS_MAX_BYTES", "kept_outputs_max_bytes", 10 << 30, "5", 5),
    ("JOBD_ENGINE", "engine", "docker", "Kubernetes", "kubernetes"),
    ("KUBERNETES_CONTEXT", "kubernetes_context", "", "work", "work"),
    ("KUBERNETES_NAMESPACE", "kubernetes_namespace", "", "jobs", "jobs"),
    ("KUBERNETES_PULL_SECRETS", "kubernetes_pull_secrets", (), "a, b.c,a", ("a", "b.c")),
    ("ENGINE_ERROR_LIMIT", "engine_error_limit_s", 900, "30s", 30),
    ("MAX_QUEUED_JOBS", "max_queued_jobs", 10_000, "5", 5),
    ("LOG_MAX_BYTES", "log_max_bytes", 64 << 20, "1024", 1024),
    ("MAX_UPLOAD_BYTES", "max_upload_bytes", 4 << 30, "0", 0),
    (
        "EGRESS_POLICY",
        "egress",
        EgressRule(),
        "strict,10.0.0.0/8",
        EgressRule("strict", (ip_network("10.0.0.0/8"),)),
    ),
    ("LOG_LEVEL", "log_level", "info", "DEBUG", "debug"),
    ("LOG_FORMAT", "log_format", "auto", "JSON", "json"),
    ("LOG_FILE", "log_file", None, "/var/log/jobd.log", Path("/var/log/jobd.log")),
    ("DISPATCHER_BUFFER_SIZE", "dispatcher.buffer_size", 10_000, "7", 7),
    ("DISPATCHER_WORKERS", "dispatcher.workers", 10, "7", 7),
    ("DISPATCHER_HTTP_TIMEOUT", "dispatcher.http_timeout_s", 10, "7s", 7),
    ("DISPATCHER_MAX_RETRIES", "dispatcher.max_retries", 3, "0", 0),
    ("DISPATCHER_INITIAL_BACKOFF", "dispatcher.initial_backoff_s", 0.1, "7ms", 0.007),
    ("DISPATCHER_MAX_BACKOFF", "dispatcher.max_backoff_s", 5, "7s", 7),
    ("DISPATCHER_BREAKER_THRESHOLD", "dispatcher.breaker_threshold", 5, "7", 7),
    ("DISPATCHER_BREAKER_COOLDOWN", "dispatcher.breaker_cooldown_s", 30, "7s", 7),
    ("DISPATCHER_MAX_REQUEUES", "dispatcher.max_requeues", 10, "0", 0),
    ("CALLBACK_TIMEOUT", "callback_timeout_s", 30, "7s", 7),
    ("UPLOAD_TIMEOUT", "upload_timeout_s", 300, "7s", 7),
    ("UPLOAD_RETRIES", "upload_retries", 3, "0", 0),
]


# What one setting needs of another.
ALSO = {"TLS_KEY_FILE": {"TLS_CERT_FILE": "/etc/cert"}}


WRONG: dict[str, list[str]] = {
    "PORT": ["", "-1", "65536", "80a", "8 0", "٣", "0x50"],
    "JOBD_HOST": ["", "example.org", "0.0.0.0", "10.0.0.1", "::", "256.0.0.1"],
    "METRICS_PORT": ["65536"],
    "METRICS_HOST": ["", "localhost.localdomain"],
    "API_KEY_FILE": ["~no-such-user-here/key"],
    "TLS_CERT_FILE": ["~no-such-user-here/cert"],
    "TLS_KEY_FILE": ["/etc/key", "~no-such-user-here/key"],
    "JOBD_NAMES": ["a b", "a,-b", "box:8080"],
    "JOBD_NO_AUTH": ["maybe", "2"],
    "MAX_TIMEOUT": ["0s", "24", "1d", "9000h", "-1h"],
    "MAX_MEMORY": ["64", "5m", "17t", "0g", "1e3m", "-1g", ""],
    "MAX_CPUS": ["0", "-1", "4097", "nan", "1e3", "inf", ""],
    "GPU_DEVICES": ["0,0", "-1", "0 1", ",".join(map(str, range(65)))],
    "ALLOW_CAP_ADD": ["maybe", "2"],
    "ALLOW_MOUNTS": ["data", "/", "/a,b", "true"],
    "ALLOW_DEVICES": ["/etc", "fuse", "/dev/", "/dev/../etc", "true"],
    "SANDBOX_POOL": ["", "on", "-1", "257", "1.5"],
    "JOBD_SOCKET": ["/" + "x" * 107, "~no-such-user-here/sock"],
    "JOBD_STATE_DIR": ["~no-such-user-here/state"],
    "SHUTDOWN_DRAIN_WAIT": ["5", "-5s", "soon"],
    "SIDECAR_IMAGE": ["", " "],
    "JOB_RETENTION": ["-1s", "15"],
    "HISTORY_RETENTION": ["1w"],
    "MAINTENANCE_INTERVAL": ["0s", "0"],
    "CALLBACK_PROXY_URL": ["ftp://h", "h:8080", "http://"],
    "EXTRA_HOSTS": ["db", "db:", ":10.0.0.1", "db:10.0.0", "d b:10.0.0.1", "db:host"],
    "MAX_CONCURRENT_JOBS": ["0", "-1", "1000000", "x"],
    "KEPT_OUTPUTS_MAX_BYTES": ["-1"],
    "JOBD_ENGINE": ["", "podman", "docker,kubernetes"],
    "KUBERNETES_CONTEXT": [" ", "a\nb"],
    "KUBERNETES_NAMESPACE": ["Jobs", "a.b", "-a", "x" * 64],
    "KUBERNETES_PULL_SECRETS": ["A", "a,b c"],
    "ENGINE_ERROR_LIMIT": ["-1s"],
    "MAX_QUEUED_JOBS": ["0"],
    "LOG_MAX_BYTES": ["1023", "64MB"],
    "MAX_UPLOAD_BYTES": ["-1", "4GB"],
    "EGRESS_POLICY": ["", "open", "local,10.0.0.0/8", "strict,", "strict,10.0.0.1/8"],
    "LOG_LEVEL": ["", "loud"],
    "LOG_FORMAT": ["", "xml"],
    "LOG_FILE": ["~no-such-user-here/log"],
    "DISPATCHER_BUFFER_SIZE": ["0"],
    "DISPATCHER_WORKERS": ["0", "1001"],
    "DISPATCHER_HTTP_TIMEOUT": ["0s", "10"],
    "DISPATCHER_MAX_RETRIES": ["-1"],
    "DISPATCHER_INITIAL_BACKOFF": ["100"],
    "DISPATCHER_MAX_BACKOFF": ["x"],
    "DISPATCHER_BREAKER_THRESHOLD": ["0"],
    "DISPATCHER_BREAKER_COOLDOWN": ["30"],
    "DISPATCHER_MAX_REQUEUES": ["-1"],
    "CALLBACK_TIMEOUT": ["0s"],
    "UPLOAD_TIMEOUT": ["0s"],
    "UPLOAD_RETRIES": ["-1", "1.5"],
}


def test_each_setting_has_a_row_here() -> None:
    assert {row[0] for row in ROWS} == NAMES == set(WRONG)
    assert len(VARIABLES) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "attribute", "default"), [row[:3] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_setting_that_is_absent_has_its_default(name: str, attribute: str, default: Any) -> None:
    assert attrgetter(attribute)(from_mapping({})) == default


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_setting_that_is_set_is_read_from_variable_and_file(
    row: tuple[str, str, Any, str, Any], tmp_path: Path
) -> None:
    name, attribute, default, text, value = row
    assert value != default
    also = ALSO.get(name, {})
    assert attrgetter(attribute)(from_mapping({name: text, **also})) == value
    assert attrgetter(attribute)(from_sources({}, {name: text, **also}, None)) == value
    file = tmp_path / "jobd.toml"
    file.write_text(f'{name.lower()} = "{text}"\n')
    assert attrgetter(attribute)(from_sources({}, also, file)) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_refused_by_name_and_never_replaced(name: str, text: str) -> None:
    found = problems(lambda: from_mapping({name: text}))
    assert [problem.partition(":")[0] for problem in found] == [name]
    assert len(found[0]) > len(name) + 10


def test_all_problems_are_reported_at_once() -> None:
    found = problems(lambda: from_mapping({name: texts[-1] for name, texts in WRONG.items()}))
    assert {problem.partition(":")[0] for problem in found} == NAMES
