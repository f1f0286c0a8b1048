"""Logs, hints and the sidecar's input on the real engine, short and long, slow and broken."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobd.docker.http.attach import Attached
from jobd.docker.http.http_session import Timeouts
from jobd.docker.logs.log_cursors import decoded
from jobd.docker.logs.stream_lines import GAP, LINE_BYTES
from jobd.docker.mapping import labels
from jobd.jobs.port.errors import EngineUnavailable, StartFailed
from jobd.jobs.port.hints import Connected, Disconnected, Ended, Hint, SignalledExternally
from jobd.jobs.port.model import LOG_START
from jobd.wire.artifact import Write
from jobd.wire.report import SidecarOrder, Started, decode_report, encode_order
from tests.support.repeated import repeated

BuildImage = Callable[[str], str]
Until = Any
DEADLINE_S = 60


async def test_the_last_line_of_short_containers_is_never_lost(bench: Any) -> None:
    async def one() -> list[str]:
        ref = bench.another()
        await bench.run(ref, command="echo a; printf b")
        return [line.text for line in await bench.lines(ref)]

    for _ in range(5):
        assert await asyncio.gather(*(one() for _ in range(4))) == [["a", "b"]] * 4


async def test_followed_and_rest_together_are_the_whole_log(bench: Any) -> None:
    await bench.create(command="seq 20000; seq 20000 >&2; printf end")
    await bench.orchestrator.start_worker(bench.ref)
    followed = await bench.lines(follow=True)
    rest = await bench.lines(positions={line.stream: line.position for line in followed})
    expected = [str(number) for number in range(1, 20001)]
    got = [*followed, *rest]
    assert [line.text for line in got if line.stream == "stdout"] == [*expected, "end"]
    assert [line.text for line in got if line.stream == "stderr"] == expected
    assert all(line.gap is None for line in got)


async def test_a_line_longer_than_any_chunk_comes_in_parts(bench: Any) -> None:
    size = 3 * LINE_BYTES + 1000
    await bench.run(command=f"head -c {size} /dev/zero | tr '\\0' x; echo; echo next")
    *parts, last = await bench.lines()
    assert "".join(line.text for line in parts) == "x" * size
    assert [line.partial for line in parts] == [True, True, True, False]
    assert last.text == "next"
    for number, line in enumerate([*parts, last]):
        assert await bench.lines(positions={"stdout": line.position}) == [*parts, last][number + 1 :]


async def test_binary_output_is_read_as_text(bench: Any) -> None:
    await bench.run(command="head -c 100000 /dev/urandom; echo; echo fine")
    assert (await bench.lines())[-1].text == "fine"


async def test_lines_that_rotated_away_are_marked(make_bench: Any) -> None:
    bench = make_bench(log_max_bytes=64 * 1024)
    await bench.create(command="trap 'seq 100000; exit' USR1; echo first; while :; do sleep 0.1; done")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.logs(bench.ref, "worker", LOG_START, True)
    batch = await anext(stream)
    first = batch.lines[0]
    await stream.aclose()
    assert first.text == "first"
    await bench.orchestrator.signal(bench.ref, "worker", "SIGUSR1")
    await bench.ended()
    rest = await bench.lines(positions=decoded(batch.cursor))
    assert rest[0].gap == GAP
    assert rest[-1].text == "100000"
    assert [line.gap for line in rest[1:]] == [None] * (len(rest) - 1)


async def test_a_follow_ends_when_the_container_is_removed(bench: Any) -> None:
    await bench.create(command="echo up; exec sleep 600")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.logs(bench.ref, "worker", LOG_START, True)
    await anext(stream)
    await bench.orchestrator.remove(bench.ref)
    async with asyncio.timeout(DEADLINE_S):
        assert [batch async for batch in stream] == []


async def test_a_follow_whose_connection_breaks_goes_on_from_its_cursor(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await bench.create(command="trap 'echo two; exit' TERM; echo one; while :; do sleep 1; done")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.logs(bench.ref, "worker", LOG_START, True)
    lines = list((await anext(stream)).lines)
    await proxy.cut()
    with pytest.raises(EngineUnavailable):
        await anext(stream)
    await bench.orchestrator.signal(bench.ref, "worker", "SIGTERM")
    lines += await bench.lines(positions={line.stream: line.position for line in lines}, follow=True)
    assert [line.text for line in lines] == ["one", "two"]


async def connected(stream: Any) -> bool:
    """Returns once the stream yields `Connected`; until then the stream yields only `Disconnected`."""
    while (hint := await anext(stream)) != Connected():
        assert hint == Disconnected()
    return True


async def test_hints_come_back_after_a_break(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    stream = bench.orchestrator.hints()
    async with asyncio.timeout(DEADLINE_S):
        assert await anext(stream) == Connected()
        await proxy.cut()
        assert await anext(stream) == Disconnected()
        assert await connected(stream)
        await bench.run(command=["true"])
        while not (isinstance(hint := await anext(stream), Ended) and hint.uid == bench.ref.uid):
            pass
    await stream.aclose()


async def test_missed_events_come_before_connected(make_bench: Any, proxy: Any, until: Until) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await bench.create(command="trap 'exit 77' TERM; sleep 600 & wait $!")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.hints()
    async with asyncio.timeout(DEADLINE_S):
        assert await connected(stream)
        await proxy.stop()
        while await anext(stream) != Disconnected():
            pass
        bench.client.containers.get(labels.container_name(bench.ref.id, "worker")).stop()
        # Long before the subscription that begins when the engine is back.
        back_at = time.time() + 3
        await until(lambda: time.time() >= back_at)
        await proxy.start()
        missed: list[Hint] = []
        while (hint := await anext(stream)) != Connected():
            missed += [] if hint == Disconnected() else [hint]
    await stream.aclose()
    assert missed[-2:] == [SignalledExternally(bench.ref.uid, "worker"), Ended(bench.ref.uid, "worker")]


async def test_hints_wait_for_an_engine_that_is_away(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await proxy.stop()
    stream = bench.orchestrator.hints()
    first = asyncio.ensure_future(connected(stream))
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.probe()
    assert not first.done()
    await proxy.start()
    assert await asyncio.wait_for(first, DEADLINE_S)
    await stream.aclose()


async def test_a_start_whose_answer_is_lost_is_not_repeated(
    make_bench: Any, proxy: Any, until: Until
) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    await bench.create(command="echo once >> log; cat log")
    proxy.swallow = b"/start "
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.start_worker(bench.ref)
    assert proxy.swallowed == 1
    await until(lambda: bench.inspect()["State"]["Status"] == "exited")
    assert [line.text for line in await bench.lines()] == ["once"]


async def test_a_create_whose_answer_is_lost_is_made_anew(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": proxy.url})
    proxy.swallow = b"/containers/create"
    with pytest.raises(EngineUnavailable):
        await bench.create()
    await repeated(lambda: bench.create(command="echo fine"))
    await bench.orchestrator.start_worker(bench.ref)
    await bench.ended()
    assert [line.text for line in await bench.lines()] == ["fine"]


async def test_an_engine_that_is_silent_is_unavailable_and_no_call_hangs(make_bench: Any, proxy: Any) -> None:
    bench = make_bench(
        environ={"DOCKER_HOST": proxy.url},
        timeouts=Timeouts(connect_s=0.2, answer_s=0.2, work_s=0.2, stall_s=0.2),
    )
    await bench.orchestrator.probe()
    proxy.silent = True
    for call in (
        bench.orchestrator.probe,
        bench.orchestrator.refs,
        lambda: bench.orchestrator.observe(bench.ref),
    ):
        with pytest.raises(EngineUnavailable):
            await asyncio.wait_for(call(), DEADLINE_S)
    proxy.silent = False


async def test_an_engine_that_is_away_is_unavailable(make_bench: Any, tmp_path: Any) -> None:
    bench = make_bench(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    for call in (bench.orchestrator.probe, bench.orchestrator.refs, bench.create, bench.lines):
        with pytest.raises(EngineUnavailable):
            await call()


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
    await bench.create(command=command)
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
