from dataclasses import replace
from typing import Any

import pytest

from jobd.docker.mapping import container_options, container_spec
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.wire.artifact import Write
from jobd.wire.job import Callback, JobSpec

REF = JobRef(uid="u-1", id="j", attempt=2)
SETTINGS = DockerSettings("one", sidecar_image="side:1", log_max_bytes=1_000_000)


def worker(settings: DockerSettings = SETTINGS, **fields: Any) -> Any:
    return container_spec.worker_body(order(**fields), settings, "making")


def sidecar(**fields: Any) -> Any:
    return container_spec.sidecar_body(order(**fields), SETTINGS, "making")


def order(**fields: Any) -> WorkOrder:
    return WorkOrder(REF, JobSpec(id="j", image="busybox:latest", **fields), sidecar=True)


def test_a_command_as_text_is_a_shell_line_that_replaces_the_entrypoint() -> None:
    body = worker(command="echo 'a b' | wc")
    assert body["Entrypoint"] == ["/bin/sh", "-c"]
    assert body["Cmd"] == ["echo 'a b' | wc"]


def test_a_command_as_list_leaves_the_entrypoint_to_the_image() -> None:
    body = worker(command=["a", "b c", ""])
    assert body["Cmd"] == ["a", "b c", ""]
    assert "Entrypoint" not in body


def test_an_entrypoint_and_a_command_stand_side_by_side() -> None:
    body = worker(entrypoint=["python", "-m"], command=["http.server"])
    assert (body["Entrypoint"], body["Cmd"]) == (["python", "-m"], ["http.server"])


def test_without_a_command_the_image_decides() -> None:
    assert worker().keys().isdisjoint({"Cmd", "Entrypoint", "User"})


def test_defaults_become_limits() -> None:
    host = worker()["HostConfig"]
    assert host["NanoCpus"] == 1_000_000_000
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024 * 1024
    assert host["PidsLimit"] == 4096 + 1, "one for the init"


def test_limits_are_those_that_were_asked_for() -> None:
    host = worker(cpu=0.5, memory=64, pids=10)["HostConfig"]
    assert host["NanoCpus"] == 500_000_000
    assert host["Memory"] == host["MemorySwap"] == 64 * 1024 * 1024
    assert host["PidsLimit"] == 10 + 1


@pytest.mark.parametrize(
    ("cores", "nano"), [(0.1, 100_000_000), (0.0001, 10_000_000), (1.1, 1_100_000_000), (64, 64_000_000_000)]
)
def test_cores_are_counted_in_billionths(cores: float, nano: int) -> None:
    assert container_spec.nano_cpus(cores) == nano


def test_a_worker_gets_the_gpus_of_its_order_and_no_others() -> None:
    assert "DeviceRequests" not in worker(gpus=1)["HostConfig"]
    with_gpus = replace(order(), gpus=("1", "GPU-3"))
    body: Any = container_spec.worker_body(with_gpus, SETTINGS, "making")
    assert body["HostConfig"]["DeviceRequests"] == [{"DeviceIDs": ["1", "GPU-3"], "Capabilities": [["gpu"]]}]
    body = container_spec.sidecar_body(with_gpus, SETTINGS, "making")
    assert "DeviceRequests" not in body["HostConfig"]


def test_a_worker_is_confined() -> None:
    host = worker()["HostConfig"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["CapDrop"] == ["NET_RAW"]
    assert host["NetworkMode"] == "jobs-service-one"
    assert "CapAdd" not in host
    assert "Privileged" not in host
    assert "Binds" not in host


def test_the_workspace_is_a_volume_without_copy_up_and_the_working_directory() -> None:
    body = worker(workspace="/data/in")
    (mount,) = body["HostConfig"]["Mounts"]
    assert body["WorkingDir"] == "/data/in"
    assert (mount["Type"], mount["Source"], mount["Target"]) == ("volume", "job-j-workspace", "/data/in")
    assert mount["VolumeOptions"]["NoCopy"] is True
    assert mount["VolumeOptions"]["Labels"]["job.uid"] == "u-1"


def test_worker_and_sidecar_share_the_workspace_and_the_network() -> None:
    one, other = worker(workspace="/w")["HostConfig"], sidecar(workspace="/w")["HostConfig"]
    assert [mount.pop("Target") for host in (one, other) for mount in host["Mounts"]] == ["/w", "/workspace"]
    assert one["Mounts"] == other["Mounts"]
    assert one["NetworkMode"] == other["NetworkMode"]
    assert one["ExtraHosts"] == other["ExtraHosts"]


def test_the_log_is_bounded() -> None:
    log = worker()["HostConfig"]["LogConfig"]
    assert int(log["Config"]["max-size"]) * int(log["Config"]["max-file"]) == 1_000_000


def test_the_worker_s_log_keeps_bytes_and_the_sidecar_s_every_newline() -> None:
    log = worker()["HostConfig"]["LogConfig"]
    assert (log["Type"], log["Config"]["compress"]) == ("local", "false")
    assert sidecar()["HostConfig"]["LogConfig"]["Type"] == "json-file"


def test_the_images_healthcheck_is_off() -> None:
    assert worker()["Healthcheck"] == {"Test": ["NONE"]}


def test_the_environment_is_passed_on_as_it_is() -> None:
    assert worker(environment={"A": "1", "B": "x=y z", "C": ""})["Env"] == ["A=1", "B=x=y z", "C="]


def test_user_and_runtime_are_passed_on() -> None:
    body = worker(user="1000:1000", runtime="runsc")
    assert body["User"] == "1000:1000"
    assert body["HostConfig"]["Runtime"] == "runsc"


def test_neither_runtime_nor_user_where_none_is_asked_for() -> None:
    assert "Runtime" not in worker()["HostConfig"]
    assert "User" not in worker()


def test_labels_name_the_owner_and_the_role() -> None:
    assert worker()["Labels"] == {
        "managed-by": "jobs-service",
        "job.instance": "one",
        "job.id": "j",
        "job.uid": "u-1",
        "job.attempt": "2",
        "job.type": "worker",
    }
    assert sidecar()["Labels"]["job.type"] == "sidecar"


def test_the_host_has_its_alias_and_configured_hosts_come_after() -> None:
    settings = DockerSettings("one", extra_hosts=("db:10.0.0.1", "six:fd00::1"))
    assert worker(settings)["HostConfig"]["ExtraHosts"] == [
        "host.docker.internal:host-gateway",
        "db:10.0.0.1",
        "six:fd00::1",
    ]


def test_a_configured_alias_wins() -> None:
    assert container_options.extra_hosts(("host.docker.internal:10.1.1.1",)) == [
        "host.docker.internal:10.1.1.1"
    ]


def test_the_sidecar_waits_for_its_order_on_an_input_that_is_given_once() -> None:
    body = sidecar()
    assert body["OpenStdin"] is body["StdinOnce"] is body["AttachStdin"] is True
    assert body["Image"] == "side:1"


def test_the_worker_has_no_input() -> None:
    assert worker()["OpenStdin"] is False


def test_the_sidecar_is_confined() -> None:
    host = sidecar()["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert sorted(host["CapAdd"]) == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert host["ReadonlyRootfs"] is True
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 256
    assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024
    assert list(host["Tmpfs"]) == ["/tmp"]


def test_nothing_of_the_job_is_in_the_sidecars_body() -> None:
    body = sidecar(
        environment={"TOKEN": "s3cret"},
        callback=Callback(url="http://u:s3cret@h/", key="s3cret"),
        artifacts=[Write(id="w", source="s3cret", out="x")],
        user="app",
        runtime="runsc",
    )
    assert "s3cret" not in str(body)
    assert body["Env"] == []
    assert body["User"] == "0:0"
    assert "Runtime" not in body["HostConfig"]


def test_the_callbacks_key_and_artifacts_are_not_in_the_workers_body() -> None:
    body = worker(
        callback=Callback(url="http://u:s3cret@h/", key="s3cret"),
        artifacts=[Write(id="w", source="s3cret", out="x")],
    )
    assert "s3cret" not in str(body)


def test_containers_do_not_reach_each_other_on_the_network() -> None:
    body: Any = container_spec.network_body("one")
    assert body["Name"] == "jobs-service-one"
    assert body["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert body["Labels"] == {"managed-by": "jobs-service", "job.instance": "one"}


def test_a_read_only_worker_has_a_tmp_in_memory_unless_its_workspace_is_there() -> None:
    host = worker(read_only=True)["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert set(host["Tmpfs"]) == {"/tmp"}
    assert "Tmpfs" not in worker(read_only=True, workspace="/tmp")["HostConfig"]
    assert not {"ReadonlyRootfs", "Tmpfs"} & set(worker()["HostConfig"])


@pytest.mark.parametrize(
    ("dropped", "added", "drop", "add"),
    [
        (["SETUID", "SETUID"], [], ["NET_RAW", "SETUID"], None),
        (["ALL"], ["CHOWN"], ["ALL", "NET_RAW"], ["CHOWN"]),
        ([], ["NET_RAW"], [], ["NET_RAW"]),
    ],
)
def test_raw_sockets_are_dropped_unless_they_are_asked_for(
    dropped: list[str], added: list[str], drop: list[str], add: list[str] | None
) -> None:
    host = worker(cap_drop=dropped, cap_add=added)["HostConfig"]
    assert host["CapDrop"] == drop
    assert host.get("CapAdd") == add
