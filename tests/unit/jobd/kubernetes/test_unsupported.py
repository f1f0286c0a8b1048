"""What a Pod does not have is refused with its field; everything else of a spec is taken."""

from typing import Any

import pytest

from jobd.kubernetes.mapping.unsupported import unsupported
from jobd.wire.artifact import JobFiles
from jobd.wire.container import Device, Mount, Port, Ulimit
from jobd.wire.job import JobSpec

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("user", {"user": "nobody"}),
    ("stopSignal", {"stop_signal": "SIGINT"}),
    ("pids", {"pids": 100}),
    ("gpus", {"gpus": "all"}),
    ("mounts", {"mounts": [Mount(source="/a", target="/b")]}),
    ("devices", {"devices": [Device(source="/dev/fuse", target="/dev/fuse")]}),
    ("ulimits", {"ulimits": [Ulimit(name="nofile", soft=1, hard=1)]}),
    ("ports", {"ports": [Port(container_port=1, host_port=1)]}),
    ("network", {"network": "none"}),
    ("hostname", {"hostname": "Host_1"}),
    ("extraHosts[1]", {"extra_hosts": ["a:10.0.0.1", "b:host-gateway"]}),
    ("tmpfs[/x]", {"tmpfs": {"/x": "size=1m,mode=700"}}),
    ("environment[ a]", {"environment": {" a": ""}}),
    ("stdin", {"stdin": True}),
    ("tty", {"tty": True}),
    ("attach", {"attach": True}),
]
TAKEN: list[dict[str, Any]] = [
    {},
    {"artifacts": [JobFiles(id="i", job="j", source="s", out="o")]},
    {"user": "1000"},
    {"user": "1000:1000", "read_only": True, "secrets": {"a": "b"}, "gpus": 1, "shm_size": 64},
    {"extra_hosts": ["a:10.0.0.1", "b:[::1]"], "dns": ["10.0.0.1"], "hostname": "host-1", "init": False},
    {"tmpfs": {"/x": "", "/y": "size=1m"}, "runtime": "gvisor", "platform": "linux/amd64", "pull": "never"},
]


@pytest.mark.parametrize(("field", "fields"), REFUSED, ids=[field for field, _ in REFUSED])
def test_what_a_pod_does_not_have_is_refused_with_its_field(field: str, fields: dict[str, Any]) -> None:
    found = unsupported(JobSpec(id="a", image="busybox", **fields))
    assert found is not None
    assert found.field == field
    assert found.reason[0].isalpha()


@pytest.mark.parametrize("fields", TAKEN)
def test_what_a_pod_has_is_taken(fields: dict[str, Any]) -> None:
    assert unsupported(JobSpec(id="a", image="busybox", **fields)) is None
