"""Network sandboxes on a real engine: who joins, what a job leaves behind, and what happens when a sandbox or jobd ends."""

import asyncio
from typing import Any

import pytest

from jobd.docker.containers.exits.exits import NETWORK_LOST
from jobd.docker.sandboxes import pool
from jobd.jobs.port.errors import EngineUnavailable
from tests.integration.docker.bench import MakeBench, Until
from tests.integration.docker.sandboxes.pooled import STAYS, Pooled


async def test_no_sandbox_is_made_before_the_first_job(make_bench: MakeBench, until: Until) -> None:
    made = await Pooled(make_bench(sandbox_pool=2), until).open()
    await asyncio.sleep(0.5)
    assert made.sandboxes() == []
    await made.run()
    assert len(made.sandboxes()) == 1
    await made.close()


async def test_worker_and_sidecar_join_one_sandbox_which_serves_the_next_job_too(pooled: Pooled) -> None:
    (sandbox,) = pooled.sandboxes()
    for _ in range(3):
        ref = pooled.bench.another()
        await pooled.bench.create(ref, sidecar=True, command="true")
        assert pooled.joined(ref) == pooled.joined(ref, "sidecar") == sandbox
        await pooled.bench.orchestrator.remove(ref)
        await pooled.settled()
    assert pooled.sandboxes() == [sandbox]


async def test_jobs_that_leave_no_trace_use_one_sandbox_in_turn(pooled: Pooled) -> None:
    before = pooled.sandboxes()
    for _ in range(3):
        assert await pooled.run("echo x > /tmp/x; echo y > /workspace/y; hostname") != []
    assert pooled.sandboxes() == before


async def test_two_jobs_at_once_never_share_a_sandbox(make_bench: MakeBench, until: Until) -> None:
    made = await Pooled(make_bench(sandbox_pool=2), until).open()
    await made.run()
    refs = [made.bench.another() for _ in range(4)]
    for ref in refs:
        await made.bench.create(ref, command=STAYS)
        await made.bench.orchestrator.start_worker(ref)
    used = [box for ref in refs if (box := made.joined(ref)) is not None]
    assert used
    assert len(used) == len(set(used))
    assert len(made.sandboxes()) <= 2
    await made.close()


async def test_a_job_in_a_sandbox_knows_the_host_and_its_resolver(pooled: Pooled) -> None:
    printed = await pooled.run("cat /etc/hosts; cat /etc/resolv.conf; ip -o addr show dev eth0")
    assert any("host.docker.internal" in line for line in printed)
    assert any(line.startswith("nameserver") for line in printed)
    assert any("inet " in line for line in printed)


TRACES = {
    "a packet to the host": "ping -c 1 -W 1 host.docker.internal || nc -w 1 host.docker.internal 9 </dev/null || true",
    "a packet on the loopback": "nc -l -p 8080 >/dev/null & sleep 0.2; echo x | nc -w 1 127.0.0.1 8080 || true",
    "a name that is looked up": "nslookup example.invalid || true",
    "a line in the hosts file": "echo '10.0.0.1 evil' >> /etc/hosts",
    "another resolver": "echo 'nameserver 10.0.0.1' > /etc/resolv.conf",
    "a mode of the hosts file": "chmod 600 /etc/hosts",
    "another host name in its file": "echo evil > /etc/hostname",
}


@pytest.mark.parametrize("what", TRACES)
async def test_a_sandbox_in_which_a_job_left_a_trace_serves_no_other_job(pooled: Pooled, what: str) -> None:
    before = pooled.sandboxes()
    await pooled.run(TRACES[what])
    after = pooled.sandboxes()
    assert not set(before) & set(after)
    printed = await pooled.run("cat /etc/hosts /etc/resolv.conf /etc/hostname; stat -c %a /etc/hosts")
    assert not any("evil" in line or "10.0.0.1" in line for line in printed)
    assert printed[-1] == "644"


FLOOD = "for port in $(seq 9000 9040); do (nc -w 30 10.255.255.1 $port </dev/null >/dev/null 2>&1 &) ; done; sleep 0.5; true"


async def test_process_listener_and_half_open_connections_do_not_reach_the_next_job(pooled: Pooled) -> None:
    await pooled.run("(nc -l -p 8080 >/dev/null &) ; (sleep 300 &) ; true")
    await pooled.run(FLOOD)
    printed = await pooled.run(
        "ps | wc -l; cat /proc/net/tcp /proc/net/tcp6 | grep -v 0B00007F | grep -c ': '; nc -l -p 8080 & sleep 0.2; kill $! && echo bound"
    )
    assert int(printed[0]) <= 5
    assert printed[1:] == ["0", "bound"]


async def test_a_listener_alone_leaves_the_sandbox_clean(pooled: Pooled) -> None:
    before = pooled.sandboxes()
    await pooled.run("(nc -l -p 8080 >/dev/null &) ; sleep 0.2; true")
    assert pooled.sandboxes() == before


@pytest.mark.parametrize("fields", [{"cap_add": ["NET_RAW"]}, {"runtime": "runc"}])
async def test_a_job_that_could_change_the_namespace_has_its_own(
    pooled: Pooled, fields: dict[str, Any]
) -> None:
    ref = pooled.bench.another()
    await pooled.bench.create(ref, command="true", **fields)
    assert pooled.joined(ref) is None


async def test_without_a_pool_no_container_joins_another(make_bench: MakeBench, until: Until) -> None:
    made = await Pooled(make_bench(), until).open()
    for _ in range(2):
        ref = made.bench.another()
        await made.bench.run(ref, command="true")
        assert made.joined(ref) is None
    assert made.sandboxes() == []
    await made.close()


async def test_a_sandbox_that_was_killed_between_jobs_is_replaced(pooled: Pooled) -> None:
    (sandbox,) = pooled.sandboxes()
    pooled.client.api.kill(sandbox)
    await pooled.until(lambda: sandbox not in pooled.bench.orchestrator._sandboxes._sandboxes)
    assert await pooled.run("echo still here") == ["still here"]
    assert sandbox not in pooled.sandboxes()


@pytest.mark.parametrize("how", ["kill", "remove"])
async def test_a_start_in_a_sandbox_that_is_gone_may_be_repeated_after_a_new_create(
    pooled: Pooled, how: str
) -> None:
    ref, orchestrator = pooled.bench.another(), pooled.bench.orchestrator
    made = await pooled.bench.create(ref, command="echo once; exit 3")
    sandbox = pooled.joined(ref)
    assert sandbox is not None
    if how == "kill":
        pooled.client.api.kill(sandbox)
    else:
        pooled.client.api.remove_container(sandbox, force=True)
    await pooled.until(lambda: sandbox not in pooled.sandboxes())
    with pytest.raises(EngineUnavailable, match="the network sandbox of the job is gone") as raised:
        await orchestrator.start_worker(ref)
    assert raised.value.answered
    seen = await orchestrator.observe(ref)
    assert seen.worker is not None
    assert seen.worker.start_may_pass
    assert (await orchestrator.remove_unstarted(ref, "worker", made.worker_id)).kind == "never"
    await pooled.bench.create(ref, command="echo once; exit 3")
    assert pooled.joined(ref) != sandbox
    await orchestrator.start_worker(ref)
    ended = await pooled.bench.ended(ref)
    assert (ended.exit_code, ended.error) == (3, "")
    assert [line.text for line in await pooled.bench.lines(ref)] == ["once"]


async def test_a_worker_whose_sandbox_dies_says_so_at_its_end(pooled: Pooled) -> None:
    ref = pooled.bench.another()
    await pooled.bench.create(ref, command="while [ -e /sys/class/net/eth0 ]; do sleep 0.1; done; exit 3")
    await pooled.bench.orchestrator.start_worker(ref)
    sandbox = pooled.joined(ref)
    assert sandbox is not None
    pooled.client.api.kill(sandbox)
    ended = await pooled.bench.ended(ref)
    assert (ended.exit_code, ended.error) == (3, NETWORK_LOST)


async def test_files_of_an_ended_job_are_read_after_its_sandbox_is_gone(pooled: Pooled) -> None:
    ref = pooled.bench.another()
    await pooled.bench.run(ref, command="echo kept > /workspace/file; echo x >> /etc/hosts")
    await pooled.settled()
    assert pooled.joined(ref) not in pooled.sandboxes()
    data = b"".join([piece async for piece in pooled.bench.orchestrator.open_tar(ref, "/workspace/file")])
    assert b"kept" in data


async def test_a_sandbox_is_replaced_after_many_jobs(pooled: Pooled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_LEASES", 2)
    (sandbox,) = pooled.sandboxes()
    for _ in range(3):
        await pooled.run()
    assert sandbox not in pooled.sandboxes()


async def test_a_missing_image_keeps_no_job_from_its_start(make_bench: MakeBench, until: Until) -> None:
    made = await Pooled(make_bench(sandbox_pool=2, sidecar_image="no-such-image:1"), until).open()
    made.bench.orchestrator._images.ensure_sidecar = _refuse  # type: ignore[method-assign]
    for _ in range(2):
        assert await made.bench.output(made.bench.another(), command="echo fine") == ["fine"]
    assert made.sandboxes() == []
    await made.close()


async def _refuse(image: str, say: Any = None) -> None:
    raise EngineUnavailable("no image")
