"""What a worker and a sidecar cannot do."""

import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from jobd.jobs.port.model import LOG_START, EndCause
from jobd.wire.artifact import Write
from jobd.wire.report import DirectCallback, SidecarOrder

NET_RAW = 13
KEPT = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER"}


def capabilities(status: list[str], name: str) -> set[int]:
    value = int(next(line.split()[1] for line in status if line.startswith(name)), 16)
    return {bit for bit in range(64) if value >> bit & 1}


async def test_a_worker_gains_no_privileges_and_opens_no_raw_sockets(bench: Any) -> None:
    status = await bench.output(command=["cat", "/proc/self/status"])
    assert "NoNewPrivs:\t1" in status
    assert NET_RAW not in capabilities(status, "CapBnd")
    assert NET_RAW not in capabilities(status, "CapEff")


async def test_limits_hold_in_the_kernel(bench: Any) -> None:
    await bench.create(memory=32, pids=77, cpu=0.5)
    host = bench.inspect()["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 32 * 1024 * 1024
    assert host["PidsLimit"] == 77 + 1, "one for the init"
    assert host["NanoCpus"] == 500_000_000


async def test_a_worker_out_of_memory_is_killed_and_it_is_said(bench: Any) -> None:
    facts = await bench.run(memory=16, command="exec tail /dev/zero")
    assert (facts.exit_code, facts.cause) == (137, EndCause.OUT_OF_MEMORY)


async def test_a_fork_bomb_meets_the_pids_limit(bench: Any) -> None:
    command = "for i in $(seq 40); do sleep 30 & done 2>&1; kill -9 -1"
    await bench.run(pids=12, command=command)
    assert any("fork" in line.text.lower() for line in await bench.lines())


async def test_a_sidecar_keeps_three_capabilities_and_writes_nowhere_else(
    make_bench: Any, build_image: Callable[[str], str]
) -> None:
    script = (
        "cat /proc/self/status; touch /root/x 2>&1; touch /tmp/y && echo tmp; touch /workspace/z && echo ws"
    )
    bench = make_bench(sidecar_image=build_image(f'ENTRYPOINT ["sh", "-c", "{script}"]'))
    await bench.create(sidecar=True)
    order = SidecarOrder(job_id="j", job_uid="u", artifacts=[])
    await bench.orchestrator.start_inputs(bench.ref, order)
    await bench.ended(role="sidecar")
    lines = [line.text for line in await bench.lines(role="sidecar")]
    assert capabilities(lines, "CapEff") == set(KEPT)
    assert "NoNewPrivs:\t1" in lines
    assert lines[-3:] == ["touch: /root/x: Read-only file system", "tmp", "ws"]


async def test_the_order_is_not_to_be_seen_from_outside(bench: Any) -> None:
    secret = uuid.uuid4().hex
    await bench.prepare(sidecar=True)
    order = SidecarOrder(
        job_id=bench.ref.id,
        job_uid=bench.ref.uid,
        artifacts=[Write(id="w", source=secret, out="w")],
        callback=DirectCallback(url="http://127.0.0.1:9/", key=secret),
    )
    await bench.orchestrator.start_inputs(bench.ref, order)
    await bench.ended(role="sidecar")
    assert secret not in str(bench.inspect("sidecar"))
    assert secret not in str(bench.inspect("worker"))
    assert not any(secret in line.text for line in await bench.lines(role="sidecar"))


async def test_a_worker_cannot_reach_another_jobs_container(bench: Any, until: Any) -> None:
    await bench.create(command="echo hello > index.html; echo up; exec httpd -f -p 8080")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.logs(bench.ref, "worker", LOG_START, True)
    await anext(stream)
    await stream.aclose()
    network = f"jobs-service-{bench.instance}"
    address = bench.inspect()["NetworkSettings"]["Networks"][network]["IPAddress"]
    # The server answers the host: a container without an answer is blocked.
    await until(lambda: _answer(address) == b"hello\n")
    other = bench.another()
    said = await bench.output(other, command=f"wget -T 2 -O - http://{address}:8080/ 2>&1; echo end")
    assert said[-1] == "end"
    assert "hello" not in said


def _answer(address: str) -> bytes:
    try:
        return bytes(urllib.request.urlopen(f"http://{address}:8080/", timeout=5).read())
    except OSError:
        return b""  # the server is not up yet


async def test_the_host_has_a_name_inside(make_bench: Any) -> None:
    bench = make_bench(extra_hosts=("db.example:10.9.8.7",))
    said = await bench.output(command=["cat", "/etc/hosts"])
    assert "10.9.8.7\tdb.example" in said
    assert any(line.endswith("\thost.docker.internal") for line in said)
