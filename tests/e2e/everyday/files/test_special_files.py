"""Devices, FIFOs and sockets as destinations of `run --out` and `cp`, with a real job."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.daemon import DEADLINE_S, Daemon

CONTENT = "content\n"


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """A new device like /dev/null."""
    path = tmp_path / "nul"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    return path


def test_a_device_stays_a_device(daemon: Daemon, worker_image: str, null: Path) -> None:
    done = daemon.jobctl(
        "run", "--sh", "echo hi > o", "--out", "o=nul", worker_image, cwd=null.parent
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert null.stat().st_rdev == os.makedev(1, 3)
    assert [path.name for path in null.parent.iterdir()] == ["nul"]


def test_a_device_has_no_size_limit(daemon: Daemon, null: Path, worker_image: str) -> None:
    """What is written to it does not stay on the disk where it stands."""
    small = null.parent / "small"
    small.mkdir()
    script = f"mount -t tmpfs -o size=64k none {small} && mknod {small}/nul c 1 3 && exec {sys.executable} -m jobctl --host unix://{daemon.socket} run --sh 'truncate -s 10M o' --out o={small}/nul {worker_image}"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace for this user")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_does_not_fit_into_a_device(daemon: Daemon, job: str, null: Path) -> None:
    done = daemon.jobctl("cp", f"{job}:res", str(null))
    assert done.returncode == 1
    assert "device" in done.stderr
    assert "folder" in done.stderr
    assert stat.S_ISCHR(null.lstat().st_mode)


def test_a_fifo_is_written_to(daemon: Daemon, job: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    # opened for both, so that it never waits for a writer who does not come
    end = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        done = daemon.jobctl("cp", f"{job}:o", str(fifo))
        read.append(os.read(end, 100))
    finally:
        os.close(end)
    assert done.returncode == 0, done.stderr
    assert read == [CONTENT.encode()]
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_a_fifo_waits_for_its_reader(daemon: Daemon, job: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = subprocess.Popen(
        [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", "cp", f"{job}:o", str(fifo)]
    )
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()), daemon=True)
    try:
        reader.start()
        assert program.wait(DEADLINE_S) == 0
        reader.join(DEADLINE_S)
    finally:
        program.kill()
    assert read == [CONTENT]


def test_a_socket_is_refused(daemon: Daemon, job: str, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        done = daemon.jobctl("cp", f"{job}:o", str(tmp_path / "s"))
    assert done.returncode == 1
    assert "is a socket" in done.stderr
    assert stat.S_ISSOCK((tmp_path / "s").lstat().st_mode)
