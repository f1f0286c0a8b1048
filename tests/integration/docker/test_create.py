"""What `prepare` creates, its owner, and how `prepare` handles existing containers and volumes."""

import asyncio
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobctl.transfers.destination import Place
from jobctl.transfers.extract import extract
from jobctl.transfers.transfer_flags import Transfer
from jobctl.transfers.upload import members, tar_stream
from jobd.jobs.port.errors import ContainerGone, ImageUnavailable, NoSuchFile, RefusedByEngine
from jobd.jobs.port.model import LOG_START, JobRef
from tests.support.repeated import repeated

TarOf = Callable[[dict[str, bytes]], Path]
BuildImage = Callable[[str], str]


async def test_names_and_labels_are_those_of_the_guide(bench: Any) -> None:
    await bench.create(sidecar=True)
    for role in ("worker", "sidecar"):
        labels = bench.inspect(role)["Config"]["Labels"]
        assert labels["job.id"] == bench.ref.id
        assert labels["job.type"] == role
        assert labels["managed-by"] == "jobs-service"
        assert labels["job.instance"] == bench.instance
    volume = bench.client.volumes.get(f"job-{bench.ref.id}-workspace")
    assert volume.attrs["Labels"]["job.uid"] == bench.ref.uid


async def test_the_image_copies_nothing_into_the_workspace(bench: Any) -> None:
    assert "passwd" not in await bench.output(workspace="/etc", command=["ls", "/etc"])


async def test_the_workspace_is_where_the_worker_starts(bench: Any) -> None:
    assert await bench.output(workspace="/deep/er/space", command=["pwd"]) == ["/deep/er/space"]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("1000", (1000, 1000)),
        ("nobody", (65534, 65534)),
        ("nobody:root", (65534, 0)),
        ("4321", (4321, 0)),
        ("4321:8765", (4321, 8765)),
        ("root", (0, 0)),
        (None, (0, 0)),
    ],
)
async def test_the_workspace_belongs_to_the_user_that_runs(
    bench: Any, user: str | None, expected: tuple[int, int]
) -> None:
    await bench.create(user=user, command="id -u; id -g; touch mine && stat -c '%u %g' .")
    await bench.orchestrator.start_worker(bench.ref)
    facts = await bench.ended()
    uid, gid = map(str, expected)
    assert [line.text for line in await bench.lines()] == [uid, gid, f"{uid} {gid}"]
    assert facts.exit_code == 0


async def test_the_images_user_counts_where_the_job_names_none(bench: Any, build_image: BuildImage) -> None:
    command = "id -u; id -g; touch mine && stat -c '%u %g' ."
    assert await bench.output(image=build_image("USER nobody:root"), command=command) == [
        "65534",
        "0",
        "65534 0",
    ]


async def test_an_unknown_user_is_named(bench: Any) -> None:
    with pytest.raises(RefusedByEngine, match="nosuch") as caught:
        await bench.create(user="nosuch")
    assert "1000:1000" in caught.value.remedy


async def test_files_belong_to_the_worker(bench: Any, tar_of: TarOf) -> None:
    files = tar_of({"a.txt": b"hello", "deep/er/b.txt": b"x" * 100_000})
    command = "stat -c '%u %n' a.txt deep/er/b.txt; wc -c < deep/er/b.txt"
    assert await bench.output(files=files, user="nobody", command=command) == [
        "65534 a.txt",
        "65534 deep/er/b.txt",
        "100000",
    ]


async def test_files_larger_than_any_buffer_arrive_whole(bench: Any, tar_of: TarOf) -> None:
    content = bytes(range(256)) * 80_000
    assert await bench.output(files=tar_of({"big": content}), command="wc -c < big") == [str(len(content))]


async def test_a_cancelled_transfer_of_files_leaves_nothing_after_the_removal(
    bench: Any, tar_of: TarOf
) -> None:
    creating = asyncio.create_task(bench.create(files=tar_of({"big": bytes(100_000_000)})))
    named = {"name": f"job-{bench.ref.id}-worker"}
    async with asyncio.timeout(60):
        # An inspection would wait for the end of the transfer.
        while not await asyncio.to_thread(bench.client.api.containers, all=True, filters=named):
            await asyncio.sleep(0.01)
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    assert creating.cancelled()
    await repeated(lambda: bench.orchestrator.remove(bench.ref))
    assert await bench.orchestrator.refs() == []


async def test_files_that_may_not_be_there_are_refused_with_the_member(bench: Any, tar_of: TarOf) -> None:
    with pytest.raises(RefusedByEngine, match=r"'\.\./evil'"):
        await bench.create(files=tar_of({"fine": b"x" * 3_000_000, "../evil": b"x"}))
    assert await bench.output(command="ls") == []


async def test_an_archive_that_is_gone_is_refused(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(RefusedByEngine, match="cannot read"):
        await bench.create(files=tmp_path / "nothing.tar")


async def test_a_workspace_that_is_a_link_in_the_image_is_refused(
    bench: Any, build_image: BuildImage, tar_of: TarOf
) -> None:
    image = build_image("RUN ln -s /etc /linked")
    with pytest.raises(RefusedByEngine) as caught:
        await bench.create(image=image, workspace="/linked", files=tar_of({"a": b"x" * 5_000_000}))
    assert "another path" in caught.value.remedy


async def test_a_partial_creation_is_replaced(bench: Any, tar_of: TarOf) -> None:
    await bench.create(sidecar=True, files=tar_of({"old": b"1"}))
    await bench.orchestrator.remove(bench.ref, "worker")
    made = await bench.create(sidecar=True, files=tar_of({"new": b"1"}), command="ls")
    await bench.orchestrator.start_worker(bench.ref)
    await bench.ended()
    assert [line.text for line in await bench.lines()] == ["new"]
    assert bench.inspect("sidecar")["Id"] == made.sidecar_id


async def test_a_volume_without_containers_is_replaced(bench: Any, tar_of: TarOf) -> None:
    await bench.create(files=tar_of({"old": b"1"}))
    await bench.orchestrator.remove(bench.ref, "worker")
    assert await bench.output(command="ls") == []


async def test_a_sidecar_that_has_run_keeps_its_job(
    bench: Any, build_image: BuildImage, make_bench: Any
) -> None:
    bench = make_bench(sidecar_image=build_image('ENTRYPOINT ["true"]'))
    made = await bench.create(sidecar=True)
    bench.client.api.start(made.sidecar_id)
    assert await bench.create(sidecar=True) == made


async def test_many_jobs_are_made_at_once(bench: Any) -> None:
    refs = [bench.another() for _ in range(8)]
    await asyncio.gather(*(bench.create(ref) for ref in refs))
    assert set(await bench.orchestrator.refs()) == set(refs)


async def test_a_runtime_that_the_engine_lacks_is_refused(bench: Any) -> None:
    with pytest.raises(RefusedByEngine, match="nosuch"):
        await bench.create(runtime="nosuch")


async def test_an_image_that_is_gone_is_unavailable(bench: Any) -> None:
    for user in (None, "0:0"):
        with pytest.raises(ImageUnavailable):
            await bench.create(image="no-such-image:1", user=user)


async def test_an_anonymous_volume_of_the_image_goes_with_the_job(
    bench: Any, build_image: BuildImage
) -> None:
    await bench.create(image=build_image("VOLUME /data"))
    names = [mount["Name"] for mount in bench.inspect()["Mounts"]]
    assert len(names) == 2
    await bench.orchestrator.remove(bench.ref)
    left = {volume.name for volume in bench.client.volumes.list()}
    assert left.isdisjoint(names)


async def test_an_images_healthcheck_does_not_run(bench: Any, build_image: BuildImage) -> None:
    await bench.create(image=build_image("HEALTHCHECK --interval=1s CMD true"), command="sleep 60")
    await bench.orchestrator.start_worker(bench.ref)
    assert "Health" not in bench.inspect()["State"]


async def test_removals_at_once_all_end(bench: Any) -> None:
    await bench.create(command="sleep 60")
    await bench.orchestrator.start_worker(bench.ref)
    await asyncio.gather(*(bench.orchestrator.remove(bench.ref) for _ in range(4)))
    assert await bench.orchestrator.refs() == []


async def test_a_folder_comes_out_as_tar_while_the_worker_runs(bench: Any) -> None:
    await bench.create(command="mkdir out; echo 1 > out/a; echo ready; sleep 60")
    await bench.orchestrator.start_worker(bench.ref)
    stream = bench.orchestrator.logs(bench.ref, "worker", LOG_START, True)
    await anext(stream)
    await stream.aclose()
    whole = b"".join([chunk async for chunk in bench.orchestrator.open_tar(bench.ref, "/workspace/out")])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert archive.getnames() == ["out", "out/a"]


async def test_a_container_of_an_earlier_attempt_has_no_log_for_this_one(bench: Any) -> None:
    await bench.run(command="echo old")
    with pytest.raises(ContainerGone):
        await bench.lines(JobRef(bench.ref.uid, bench.ref.id, 2))


async def test_the_duration_of_each_call_is_reported(make_bench: Any) -> None:
    calls: list[tuple[str, float, bool]] = []
    bench = make_bench(on_call=lambda *call: calls.append(call))
    await bench.run(command=["true"])
    assert {"create", "start", "inspect"} <= {name for name, _, _ in calls}
    assert all(ok and seconds > 0 for _, seconds, ok in calls)


async def test_creation_and_start_take_few_calls(make_bench: Any) -> None:
    calls: list[str] = []
    bench = make_bench(on_call=lambda name, seconds, ok: calls.append(name))
    await bench.create(command=["true"])
    calls.clear()
    other = bench.another()
    await bench.create(other, command=["true"])
    await bench.orchestrator.start_worker(other)
    assert sorted(calls) == ["create", "image-inspect", "start", "volume-create"]


@pytest.mark.parametrize("path", ["nothing", "file/below", "loop/x", "n" * 300])
async def test_a_path_that_names_nothing_is_not_found(bench: Any, path: str) -> None:
    await bench.run(command="echo > file; ln -s loop loop")
    with pytest.raises(NoSuchFile):
        await anext(bench.orchestrator.open_tar(bench.ref, f"/workspace/{path}"))


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9.txt", rb"back\slash", b"\xff" * 255, "語".encode() * 85],
    ids=["latin", "backslash", "long", "cjk"],
)
async def test_file_names_keep_their_bytes(bench: Any, tmp_path: Path, name: bytes) -> None:
    there = tmp_path / "local"
    there.mkdir()
    (there / os.fsdecode(name)).write_bytes(b"in")
    spool = tmp_path / "files.tar"
    spool.write_bytes(b"".join(tar_stream(members([Transfer("in", str(there))]))))
    await bench.run(files=spool, command="cp -r in out; ls out/*")
    whole = b"".join([chunk async for chunk in bench.orchestrator.open_tar(bench.ref, "/workspace/out")])
    made = extract(io.BytesIO(whole), "out", Place(tmp_path / "back"))
    assert made.files == 1
    assert [os.fsencode(each.name) for each in (tmp_path / "back").iterdir()] == [name]
    assert (tmp_path / "back" / os.fsdecode(name)).read_bytes() == b"in"
