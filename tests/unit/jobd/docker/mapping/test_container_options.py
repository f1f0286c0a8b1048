"""The options of a job's container in the engine's create body."""

from typing import Any

import pytest

from jobd.docker.mapping import container_options, container_spec
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes.sandbox_spec import may_join
from jobd.jobs.port.model import HostMount, JobRef, WorkOrder
from jobd.wire.container import Device, Mount, Port, Ulimit
from jobd.wire.job import JobSpec

REF = JobRef(uid="u-1", id="j", attempt=2)
SETTINGS = DockerSettings("one", extra_hosts=("all:10.0.0.9",))
OWN_NETWORK: list[dict[str, Any]] = [
    {"network": "bridge"},
    {"network": "none"},
    {"ports": [Port(container_port=80, host_port=8080)]},
    {"extra_hosts": ["db:10.0.0.1"]},
    {"dns": ["1.1.1.1"]},
    {"hostname": "box"},
]


def order(checked: tuple[HostMount, ...] = (), **fields: Any) -> WorkOrder:
    return WorkOrder(REF, JobSpec(id="j", image="i", **fields), sidecar=True, mounts=checked)


def worker(checked: tuple[HostMount, ...] = (), *, init: bool = True, **fields: Any) -> Any:
    return container_spec.worker_body(order(checked, **fields), SETTINGS, "making", init=init)


def sidecar(checked: tuple[HostMount, ...] = (), **fields: Any) -> Any:
    return container_spec.sidecar_body(order(checked, **fields), SETTINGS, "making")


@pytest.mark.parametrize(
    ("wanted", "engine", "has_init"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_worker_has_an_init_which_its_limit_of_processes_does_not_count(
    wanted: bool, engine: bool, has_init: bool
) -> None:
    body: Any = container_spec.worker_body(order(init=wanted, pids=10), SETTINGS, "making", init=engine)
    made = body["HostConfig"]
    assert (made["Init"], made["PidsLimit"]) == (has_init, 10 + has_init)
    assert "Init" not in sidecar()["HostConfig"]


def test_checked_mounts_reach_the_worker_alone() -> None:
    wanted = [Mount(source="/link", target="/b", read_only=True)]
    mounts = (HostMount("/real", "/b", True),)
    assert worker(mounts, mounts=wanted)["HostConfig"]["Mounts"][-1] == {
        "Type": "bind", "Source": "/real", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rprivate"},
    }  # fmt: skip
    assert all(mount["Type"] == "volume" for mount in sidecar(mounts, mounts=wanted)["HostConfig"]["Mounts"])
    assert "/link" not in str(worker(mounts, mounts=wanted))


def test_mounts_take_nothing_from_the_confinement() -> None:
    host = worker((HostMount("/a", "/b", False),), mounts=[Mount(source="/a", target="/b")])["HostConfig"]
    assert (host["SecurityOpt"], host["CapDrop"]) == (["no-new-privileges"], ["NET_RAW"])
    assert not {"CapAdd", "Privileged", "Binds", "PidMode", "IpcMode"} & set(host)


def test_signals_and_directories() -> None:
    body = worker(stop_signal="SIGINT", stop_timeout_seconds=3, working_dir="/src")
    assert (body["StopSignal"], body["StopTimeout"], body["WorkingDir"]) == ("SIGINT", 3, "/src")
    assert worker(workspace="/w")["WorkingDir"] == "/w"


def test_files_in_memory() -> None:
    host = worker(tmpfs={"/run": "size=1m", "/c": ""}, shm_size=128)["HostConfig"]
    assert host["Tmpfs"] == {"/run": "size=1m,nosuid,nodev", "/c": "nosuid,nodev"}
    assert host["ShmSize"] == 128 << 20
    assert "ShmSize" not in worker()["HostConfig"]


def test_a_read_only_workers_tmp_is_the_jobs_own_choice() -> None:
    assert worker(read_only=True, tmpfs={"/run": ""})["HostConfig"]["Tmpfs"] == {
        "/run": "nosuid,nodev",
        "/tmp": container_options.WORKER_TMP,
    }
    assert worker(read_only=True, tmpfs={"/tmp": "size=1m"})["HostConfig"]["Tmpfs"] == {
        "/tmp": "size=1m,nosuid,nodev"
    }
    mounted = worker(
        (HostMount("/a", "/tmp", False),), read_only=True, mounts=[Mount(source="/a", target="/tmp")]
    )
    assert "Tmpfs" not in mounted["HostConfig"]


def test_limits_and_devices() -> None:
    host = worker(
        ulimits=[Ulimit(name="nofile", soft=1, hard=-1)],
        devices=[Device(source="/dev/a", target="/dev/b", permissions="r")],
    )["HostConfig"]
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1, "Hard": -1}]
    assert host["Devices"] == [
        {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}
    ]


def test_ports_are_open_on_the_address_of_the_job() -> None:
    body = worker(
        ports=[Port(container_port=80, host_port=8080), Port(container_port=80, host_port=8081, host_ip="::")]
    )
    assert body["ExposedPorts"] == {"80/tcp": {}}
    assert body["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8081"}]
    }
    assert "PortBindings" not in sidecar(ports=[Port(container_port=80, host_port=8080)])["HostConfig"]


def test_a_network_of_the_jobs_choice_is_the_sidecars_too() -> None:
    for made in (worker, sidecar):
        host = made(network="mine", extra_hosts=["db:10.0.0.1"], dns=["1.1.1.1"])["HostConfig"]
        assert (host["NetworkMode"], host["Dns"]) == ("mine", ["1.1.1.1"])
        assert host["ExtraHosts"] == ["db:10.0.0.1", "host.docker.internal:host-gateway", "all:10.0.0.9"]
        assert made(dns=["1.1.1.1"])["HostConfig"]["NetworkMode"] == "jobs-service-one"


def test_without_a_network_only_the_sidecar_has_one() -> None:
    host = worker(network="none")["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert "ExtraHosts" not in host
    assert sidecar(network="none")["HostConfig"]["NetworkMode"] == "jobs-service-one"


@pytest.mark.parametrize("fields", OWN_NETWORK)
def test_a_job_with_a_network_of_its_own_uses_no_sandbox(fields: dict[str, Any]) -> None:
    assert may_join(JobSpec(id="j", image="i"))
    assert not may_join(JobSpec(id="j", image="i", **fields))
