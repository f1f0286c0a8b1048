"""The options of the job spec for its container: signals, mounts, network, ports, limits, devices."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.container import Device, Mount, Port, Ulimit
from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]
A = {"source": "/a", "target": "/b"}


def test_all_options_are_accepted_together(accept: Accept) -> None:
    spec = accept(
        init=False, stopSignal="SIGINT", stopTimeoutSeconds=0, workingDir="/src/x/", mounts=[{**A, "readOnly": True}, {"source": "/s/../t", "target": "/src"}],
        tmpfs={"/run": "size=64m,mode=1777,exec", "/cache": ""}, shmSize=1024, hostname="box.example", network="my_net.1",
        ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 8080, "protocol": "udp", "hostIp": "::"}],
        extraHosts=["db:10.0.0.1", "me:host-gateway", "six:fd00::1"], dns=["1.1.1.1", "fd00::1"],
        ulimits=[{"name": "nofile", "soft": 10, "hard": -1}], devices=[{"source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rw"}],
    )  # fmt: skip
    assert spec.mounts == [
        Mount(source="/a", target="/b", read_only=True),
        Mount(source="/s/../t", target="/src"),
    ]
    assert spec.ports[1] == Port(container_port=53, host_port=8080, protocol="udp", host_ip="::")
    assert spec.ulimits == [Ulimit(name="nofile", soft=10, hard=-1)]
    assert spec.devices == [Device(source="/dev/fuse", target="/dev/fuse", permissions="rw")]
    assert (spec.working_dir, spec.has_own_network, spec.needs_sidecar) == ("/src/x", True, True)


def test_by_default_there_is_an_init_and_no_own_network(accept: Accept) -> None:
    spec = accept()
    assert (spec.init, spec.stop_signal, spec.stop_timeout_seconds) == (True, "SIGTERM", 10)
    assert not spec.has_own_network
    assert not spec.needs_sidecar


@pytest.mark.parametrize(
    "fields", [{"workingDir": "/workspace"}, {"workingDir": "/w/", "workspace": "/w/"}, {"workingDir": ""}]
)
def test_the_workspace_is_the_working_directory_by_default(accept: Accept, fields: Any) -> None:
    assert accept(**fields).working_dir == ""


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"stopSignal": "TERM"}, ["stopSignal"]),
    ({"stopSignal": "SIGSTOP"}, ["stopSignal"]),
    ({"stopTimeoutSeconds": -1}, ["stopTimeoutSeconds"]),
    ({"stopTimeoutSeconds": 3601}, ["stopTimeoutSeconds"]),
    ({"workingDir": "src"}, ["workingDir"]),
    ({"workingDir": "/a/../b"}, ["workingDir"]),
    ({"mounts": [{"source": "a", "target": "/b"}]}, ["mounts[0].source"]),
    ({"mounts": [{"source": "", "target": "/b"}]}, ["mounts[0].source"]),
    ({"mounts": [{"source": "/a\0", "target": "/b"}]}, ["mounts[0].source"]),
    ({"mounts": [{"source": "/a", "target": "b"}]}, ["mounts[0].target"]),
    ({"mounts": [{"source": "/a", "target": "/"}]}, ["mounts[0].target"]),
    ({"mounts": [{"source": "/a", "target": "/proc/x"}]}, ["mounts[0].target"]),
    ({"mounts": [{"source": "/a"}]}, ["mounts[0].target"]),
    ({"mounts": [{**A, "mode": "ro"}]}, ["mounts[0].mode"]),
    ({"mounts": [A] * 33}, ["mounts"]),
    ({"mounts": [A, {"source": "/c", "target": "/b"}]}, ["mounts[1].target"]),
    ({"mounts": [A, {"source": "/c", "target": "/b/c"}]}, ["mounts[1].target"]),
    ({"mounts": [{"source": "/c", "target": "/b/c"}, A]}, ["mounts[1].target"]),
    ({"mounts": [{"source": "/c", "target": "/workspace"}]}, ["mounts[0].target"]),
    ({"mounts": [{"source": "/c", "target": "/workspace/c"}]}, ["mounts[0].target"]),
    ({"mounts": [A], "workspace": "/b/w"}, ["mounts[0].target"]),
    ({"mounts": [A], "tmpfs": {"/b/t": ""}}, ["tmpfs./b/t"]),
    ({"mounts": [{"source": "/c", "target": "/run/secrets/x"}], "secrets": {"s": "x"}}, ["mounts[0].target"]),
    ({"mounts": [A], "capAdd": ["SYS_TIME"]}, ["capAdd"]),
    ({"tmpfs": {"run": ""}}, ["tmpfs.run"]),
    ({"tmpfs": {"/workspace": ""}}, ["tmpfs./workspace"]),
    ({"tmpfs": {"/run": "suid"}}, ["tmpfs./run"]),
    ({"tmpfs": {"/run": "dev"}}, ["tmpfs./run"]),
    ({"tmpfs": {"/run": "size=1x"}}, ["tmpfs./run"]),
    ({"tmpfs": {"/run": "size=64m,,"}}, ["tmpfs./run", "tmpfs./run"]),
    ({"tmpfs": {"/run": "size=" + "1" * 300}}, ["tmpfs./run"]),
    ({"tmpfs": {f"/t{n}": "" for n in range(17)}}, ["tmpfs"]),
    ({"shmSize": -1}, ["shmSize"]),
    ({"hostname": "-a"}, ["hostname"]),
    ({"hostname": "a_b"}, ["hostname"]),
    ({"hostname": "a\n"}, ["hostname"]),
    ({"hostname": "a" * 64}, ["hostname"]),
    ({"network": "host"}, ["network"]),
    ({"network": "default"}, ["network"]),
    ({"network": "container:abc"}, ["network"]),
    ({"network": "a b"}, ["network"]),
    ({"network": "none", "ports": [{"containerPort": 1, "hostPort": 1024}]}, ["ports"]),
    ({"ports": [{"containerPort": 0, "hostPort": 8080}]}, ["ports[0].containerPort"]),
    ({"ports": [{"containerPort": 80, "hostPort": 80}]}, ["ports[0].hostPort"]),
    ({"ports": [{"containerPort": 80, "hostPort": 65536}]}, ["ports[0].hostPort"]),
    ({"ports": [{"containerPort": 80, "hostPort": 8080, "hostIp": "localhost"}]}, ["ports[0].hostIp"]),
    ({"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "sctp"}]}, ["ports[0].protocol"]),
    ({"ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}]}, ["ports[1].hostPort"]),
    ({"ports": [{"containerPort": 80, "hostPort": 8000 + n} for n in range(65)]}, ["ports"]),
    ({"extraHosts": ["db"]}, ["extraHosts[0]"]),
    ({"extraHosts": ["db:10.0.0"]}, ["extraHosts[0]"]),
    ({"extraHosts": ["a b:10.0.0.1"]}, ["extraHosts[0]"]),
    ({"extraHosts": ["a:1.1.1.1"] * 65}, ["extraHosts"]),
    ({"dns": ["ns.example"]}, ["dns[0]"]),
    ({"dns": ["fe80::1%eth0"]}, ["dns[0]"]),
    ({"dns": ["1.1.1.1"] * 9}, ["dns"]),
    ({"ulimits": [{"name": "rtprio", "soft": 1, "hard": 1}]}, ["ulimits[0].name"]),
    ({"ulimits": [{"name": "core", "soft": -2, "hard": 1}]}, ["ulimits[0].soft"]),
    ({"ulimits": [{"name": "core", "soft": 2, "hard": 1}]}, ["ulimits[0].soft"]),
    ({"ulimits": [{"name": "core", "soft": -1, "hard": 1}]}, ["ulimits[0].soft"]),
    ({"ulimits": [{"name": "core", "soft": 1, "hard": 1}] * 2}, ["ulimits[1].name"]),
    ({"ulimits": [{"name": "core", "soft": 1, "hard": 1}] * 13}, ["ulimits"]),
    ({"devices": [{"source": "/etc/x", "target": "/dev/x"}]}, ["devices[0].source"]),
    ({"devices": [{"source": "/dev/../x", "target": "/dev/x"}]}, ["devices[0].source"]),
    ({"devices": [{"source": "/dev/x", "target": "/x"}]}, ["devices[0].target"]),
    ({"devices": [{"source": "/dev/x", "target": "/dev/x", "permissions": "rr"}]}, ["devices[0].permissions"]),
    ({"devices": [{"source": "/dev/x", "target": "/dev/x", "permissions": ""}]}, ["devices[0].permissions"]),
    ({"devices": [{"source": "/dev/x", "target": "/dev/x"}] * 33}, ["devices"]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "where"), WRONG)
def test_a_wrong_value_is_refused_with_its_field(
    refuse: Refuse, fields: dict[str, Any], where: list[str]
) -> None:
    assert [problem.field for problem in refuse(**fields)] == where


def test_the_machines_network_is_refused_with_what_to_use_instead(refuse: Refuse) -> None:
    (problem,) = refuse(network="host")
    assert "-p HOST:CONTAINER" in problem.message
    assert "host.docker.internal" in problem.message
