"""A process is known by its pid, its start and the machine's boot."""

import os
from pathlib import Path

from jobctl.daemon.process import Identity, PidFile, identity_of, opened, start_of


def test_this_process_has_an_identity_and_a_start() -> None:
    own = identity_of(os.getpid())
    assert own == identity_of(os.getpid())
    process = opened(own)
    assert process is not None
    with process:
        assert process.pid == os.getpid()
        assert not process.wait(0)
    started = start_of(os.getpid())
    assert started is not None
    assert started > 0


def test_an_ended_process_has_none_also_before_its_parent_has_noticed() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert identity_of(pid) is None
    os.waitpid(pid, 0)
    assert identity_of(pid) is None
    assert start_of(pid) is None


def test_another_start_or_boot_is_another_process() -> None:
    own = identity_of(os.getpid())
    assert own is not None
    for other in (
        Identity(own.pid, own.started + 1, own.boot),
        Identity(own.pid, own.started, "other"),
        None,
    ):
        assert opened(other) is None


def test_a_pid_file_keeps_the_identity(tmp_path: Path) -> None:
    file = PidFile(str(tmp_path / "pid"))
    assert file.read() is None
    file.write(Identity(7, 8, "nine"))
    assert file.read() == Identity(7, 8, "nine")
    assert [each.name for each in tmp_path.iterdir()] == ["pid"]
    file.remove()
    file.remove()
    assert file.read() is None
