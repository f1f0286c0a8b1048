"""Starts on the real engine: the sidecar's order, refused starts, and the network that a start needs."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from jobd.docker.http.attach import Attached
from jobd.docker.mapping import labels
from jobd.jobs.port.errors import StartFailed
from jobd.wire.artifact import Write
from jobd.wire.report import SidecarOrder, Started, decode_report, encode_order

BuildImage = Callable[[str], str]
DEADLINE_S = 60


@pytest.mark.parametrize("size", [0, 1000, 65536, 1024 * 1024])
async def test_an_order_of_any_size_arrives_whole(
    make_bench: Any, build_image: BuildImage, size: int
) -> None:
    bench = make_bench(sidecar_image=build_image('ENTRYPOINT ["sha256sum"]'))
    order = SidecarOrder(job_id="j", job_uid="u", artifacts=[Write(id="w", source="x" * size, out="w")])

    async def one() -> str:
        ref = bench.another()
        await bench.create(ref, sidecar=True)
        await bench.orchestrator.start_inputs(ref, order)
        await bench.ended(ref, "sidecar")
        (line,) = await bench.lines(ref, "sidecar")
        return str(line.text).split()[0]

    expected = hashlib.sha256(encode_order(order)).hexdigest()
    count = 10 if size > 65536 else 2
    assert [await one() for _ in range(count)] == [expected] * count


async def test_a_sidecar_that_reads_nothing_does_not_hang_the_daemon(
    make_bench: Any, build_image: BuildImage
) -> None:
    bench = make_bench(sidecar_image=build_image('ENTRYPOINT ["true"]'))
    order = SidecarOrder(job_id="j", job_uid="u", artifacts=[Write(id="w", source="x" * 500_000, out="w")])
    await bench.create(sidecar=True)
    await asyncio.wait_for(bench.orchestrator.start_inputs(bench.ref, order), DEADLINE_S)
    assert (await bench.ended(role="sidecar")).exit_code == 0


async def test_a_sidecar_whose_program_is_missing(make_bench: Any, build_image: BuildImage) -> None:
    bench = make_bench(sidecar_image=build_image('ENTRYPOINT ["/no/such/program"]'))
    await bench.create(sidecar=True)
    with pytest.raises(StartFailed) as caught:
        await bench.orchestrator.start_inputs(bench.ref, SidecarOrder(job_id="j", job_uid="u", artifacts=[]))
    assert caught.value.exit_code == 127


async def test_the_real_sidecar_reports_on_its_output(bench: Any) -> None:
    await bench.prepare(sidecar=True, user="nobody", command="cat in; stat -c %u in")
    order = SidecarOrder(
        job_id=bench.ref.id,
        job_uid=bench.ref.uid,
        artifacts=[Write(id="w", source="hello\n", out="in")],
    )
    await bench.orchestrator.start_inputs(bench.ref, order)
    await bench.ended(role="sidecar")
    reports = [decode_report(line.text.encode()) for line in await bench.lines(role="sidecar")]
    assert reports[0] == Started(n=1)
    await bench.orchestrator.start_worker(bench.ref)
    await bench.ended()
    assert [line.text for line in await bench.lines()] == ["hello", "65534"]


async def test_a_network_that_went_is_made_again(own_bench: Any) -> None:
    await own_bench.create(command="echo up")
    own_bench.client.networks.get(f"jobs-service-{own_bench.instance}").remove()
    await own_bench.orchestrator.start_worker(own_bench.ref)
    assert (await own_bench.ended()).exit_code == 0


@pytest.mark.parametrize(("command", "code"), [(["/etc/passwd"], 126), (["/etc"], 126), (["nope"], 127)])
async def test_a_start_that_fails_says_how(bench: Any, command: list[str], code: int) -> None:
    await bench.create(init=False, command=command)
    with pytest.raises(StartFailed) as caught:
        await bench.orchestrator.start_worker(bench.ref)
    assert caught.value.exit_code == code
    assert caught.value.exit_code == bench.inspect()["State"]["ExitCode"]


async def test_an_order_that_the_sidecar_has_read_needs_no_answer_of_the_engine(
    build_image: BuildImage, make_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine once kept the connection open although the sidecar had read the order to its end."""

    async def hang(stdin: Attached, data: bytes) -> None:
        await write(stdin, data)
        await asyncio.Event().wait()

    write = Attached.write_all
    monkeypatch.setattr(Attached, "write_all", hang)
    bench = make_bench(sidecar_image=build_image('ENTRYPOINT ["sh", "-c", "cat; sleep 600"]'))
    order = SidecarOrder(job_id="j", job_uid="u", artifacts=[])
    await bench.create(sidecar=True)
    await asyncio.wait_for(bench.orchestrator.start_inputs(bench.ref, order), DEADLINE_S)


@pytest.mark.parametrize("when", ["before the job", "before its start"])
async def test_a_network_that_exists_twice_is_reduced_to_one(own_bench: Any, when: str) -> None:
    """The engine carries out a create whose caller was killed, also beside the create of the next process."""
    api, instance = own_bench.client.api, own_bench.instance
    body = {"driver": "bridge", "labels": labels.instance_labels(instance), "check_duplicate": False}
    if when == "before the job":
        for _ in range(2):
            api.create_network(labels.network_name(instance), **body)
        await own_bench.create(command="echo up")
    else:
        await own_bench.create(command="echo up")
        api.create_network(labels.network_name(instance), **body)
    await own_bench.orchestrator.start_worker(own_bench.ref)
    assert (await own_bench.ended()).exit_code == 0
    assert len(api.networks(names=[labels.network_name(instance)])) == 1
