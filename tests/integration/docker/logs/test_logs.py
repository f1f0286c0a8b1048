"""The engine's log of short and long, followed and rotated containers, on the real engine."""

import asyncio
from typing import Any

import pytest

from jobd.docker.logs.log_cursors import decoded
from jobd.docker.logs.stream_lines import GAP, LINE_BYTES
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import LOG_START

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
