"""Which mounts a caller gets, and as which user the job then runs."""

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobd.errors import InvalidRequest
from jobd.jobs.mounts.host_mounts import HostMounts, as_caller
from jobd.jobs.port.model import EngineFacts, HostMount
from jobd.jobs.record.parts import Caller
from jobd.wire.container import Mount
from jobd.wire.job import JobSpec

OTHER, ROOT = Caller(uid=65534, gid=65534), Caller(uid=0, gid=0)
FACTS = EngineFacts("x", "1", "1", cpus=1, memory_bytes=1, platform="linux")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of several users need root")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and len(folder.parts) > 2:
            folder.chmod(0o755)
    return tmp_path


def spec(*mounts: Mount, **fields: Any) -> JobSpec:
    return JobSpec(id="j", image="i", mounts=list(mounts), **fields)


def mount(source: object, *, read_only: bool = False) -> Mount:
    return Mount(source=str(source), target="/data", read_only=read_only)


async def refused(mounts: HostMounts, wanted: JobSpec, caller: Caller | None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await mounts.check(as_caller(wanted, caller), caller)
    return caught.value


async def test_a_caller_mounts_what_the_caller_may_use(tree: Path) -> None:
    own, readable = tree / "own", tree / "readable"
    own.mkdir(mode=0o700)
    os.chown(own, OTHER.uid, OTHER.gid)
    readable.mkdir(mode=0o755)
    (tree / "link").symlink_to("own/../own")
    mounts = HostMounts()
    made = await mounts.check(as_caller(spec(mount(tree / "link")), OTHER), OTHER)
    assert made == (HostMount(str(own), "/data", False),)
    assert await mounts.check(as_caller(spec(mount(readable, read_only=True)), OTHER), OTHER)
    error = await refused(mounts, spec(mount(readable)), OTHER)
    assert error.field == "mounts[0].source"
    assert "not write to it; mount it read-only (:ro)" in str(error)


async def test_a_caller_gets_nothing_that_the_caller_may_not_read(tree: Path) -> None:
    closed = tree / "closed"
    (closed / "in").mkdir(parents=True)
    closed.chmod(0o700)
    (tree / "link").symlink_to("closed")
    (tree / "secret").write_text("s")
    (tree / "secret").chmod(0o600)
    for name, words in (
        ("closed", "you may not read it"),
        ("closed/in", "may not search the folder"),
        ("link", "you may not read it"),
        ("secret", "you may not read it"),
        ("none", "there is no 'none'"),
    ):
        for read_only in (True, False):
            error = await refused(HostMounts(), spec(mount(tree / name, read_only=read_only)), OTHER)
            assert words in str(error), name
    assert await HostMounts().check(spec(mount(closed)), ROOT)


@pytest.mark.parametrize("read_only", [True, False])
async def test_no_job_gets_the_files_of_jobd_or_of_the_engine(tree: Path, read_only: bool) -> None:
    state = tree / "home" / "state"
    state.mkdir(parents=True)
    (state / "jobd.db").touch()
    (tree / "home" / "beside").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tree / "home" / "e.sock"))
    mounts = HostMounts([str(state)])
    mounts.take_engine_facts(replace(FACTS, own_paths=(str(tree / "home" / "e.sock"),)))
    (tree / "link").symlink_to("home/state")
    try:
        for name in ("home/state", "home/state/jobd.db", "home/e.sock", "home", "link", "."):
            error = await refused(mounts, spec(mount(tree / name, read_only=read_only)), ROOT)
            assert "which no job gets" in str(error), name
    finally:
        listener.close()
    for name in ("/", "/proc", "/proc/self", "/sys/kernel", "/dev", "/dev/null"):
        error = await refused(mounts, spec(mount(name, read_only=read_only)), ROOT)
        assert "no job gets" in str(error), name
    assert await mounts.check(spec(mount(tree / "home" / "beside", read_only=read_only)), ROOT)


async def test_over_tcp_only_the_operators_folders(tree: Path) -> None:
    allowed = tree / "allowed"
    (allowed / "sub").mkdir(parents=True)
    allowed.chmod(0o700)
    (tree / "other").mkdir()
    (allowed / "out").symlink_to("../other")
    mounts = HostMounts(allowed=[str(allowed)])
    for name in ("allowed", "allowed/sub", "other/../allowed"):
        assert await mounts.check(spec(mount(tree / name), user="7:7"), None)
        assert await mounts.check(spec(mount(tree / name), user="0:0"), OTHER), (
            "also for every caller and user"
        )
    for name in ("other", "allowed/out", "allowed/../other", "."):
        assert "ALLOW_MOUNTS" in str(await refused(mounts, spec(mount(tree / name)), None))
    assert "ALLOW_MOUNTS" in str(await refused(HostMounts(), spec(mount(allowed)), None))


def test_the_worker_runs_as_the_caller() -> None:
    wanted = spec(mount("/x"))
    assert as_caller(wanted, OTHER).user == "65534:65534"
    assert as_caller(spec(mount("/x"), user="65534"), OTHER).user == "65534:65534"
    assert as_caller(spec(mount("/x"), user="65534:7"), OTHER).user == "65534:7"
    assert as_caller(wanted, ROOT).user is None
    assert as_caller(wanted, None).user is None
    assert as_caller(spec(), OTHER).user is None


@pytest.mark.parametrize("user", ["0", "0:0", "65534:0", "65534:42", "nobody", "1000:65534", "root:root"])
async def test_another_user_is_refused(tree: Path, user: str) -> None:
    error = await refused(HostMounts(), spec(mount(tree, read_only=True), user=user), OTHER)
    assert error.field == "user"
    assert "--user me" in str(error)
    assert await HostMounts().check(spec(mount(tree), user=user), ROOT)


async def test_an_engine_elsewhere_has_no_files_of_this_machine(tree: Path) -> None:
    mounts = HostMounts()
    mounts.take_engine_facts(replace(FACTS, shares_files=False))
    assert "another machine" in str(await refused(mounts, spec(mount(tree)), ROOT))
    assert await mounts.check(spec(), ROOT) == ()
