"""What `jobctl show` prints of the queue: the fields as the daemon answers them, without those that have their default."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jobctl.commands.views.show import described
from jobd.wire.container import Mount, Port
from jobd.wire.views.job import DependencyView, JobView, LimitsView

NOW = datetime(2030, 1, 31, 8, tzinfo=UTC)


def shown(**fields: Any) -> dict[str, str]:
    view = JobView(id="a", status="accepted", phase="queued", **fields)
    return dict(described(msgspec.to_builtins(view), NOW))


def test_the_priority_the_group_and_the_dependencies_are_shown() -> None:
    after = [DependencyView(job="b"), DependencyView(job="c", on="any")]
    details = shown(priority=-5, group="night", after=after)
    assert (details["Priority"], details["Group"], details["After"]) == ("-5", "night", "b, c:any")
    assert shown() == {"Id": "a", "Status": "accepted", "Phase": "queued"}


@pytest.mark.parametrize(("gpus", "words"), [(1, "1 GPU"), (2, "2 GPUs"), ("all", "all GPUs")])
def test_requested_and_assigned_gpus_are_shown(gpus: Any, words: str) -> None:
    limits = LimitsView(cpu=1, memory=512, pids=9, timeout_seconds=60, gpus=gpus)
    details = shown(limits=limits, gpu_devices=["GPU-1", "GPU-2"])
    assert details["Limits"] == f"1 core, 512 MiB, 9 processes, 1m, {words}"
    assert details["GPUs"] == "GPU-1, GPU-2"
    without = shown(limits=LimitsView(cpu=1, memory=512, pids=9, timeout_seconds=60))
    assert without["Limits"] == "1 core, 512 MiB, 9 processes, 1m"


def test_user_network_ports_and_mounts_are_shown_as_their_flags_take_them() -> None:
    details = shown(
        user="1000:1000",
        network="mine",
        ports=[
            Port(container_port=80, host_port=8080),
            Port(container_port=53, host_port=5353, protocol="udp", host_ip="::"),
        ],
        mounts=[Mount(source="/a", target="/b"), Mount(source="/c", target="/d", read_only=True)],
    )
    assert (details["User"], details["Network"]) == ("1000:1000", "mine")
    assert details["Ports"] == "127.0.0.1:8080:80\n[::]:5353:53/udp"
    assert details["Mounts"] == "/a:/b\n/c:/d:ro"
