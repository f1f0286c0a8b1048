"""The start of the image's program: which modules a plan imports, and when."""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from jobd.wire.artifact import Archive, Artifact, Read, Write
from jobd.wire.report import ArtifactDone, Done, Ready, SidecarOrder, decode_report, encode_order

PATIENCE_S = 60.0
TRANSFERS_ONLY = {"urllib3", "ssl", "socket", "http", "email", "urllib", "zipfile", "tarfile", "gzip"}
SLOW = {"dataclasses", "inspect", "pathlib", "ctypes", "traceback", "logging", "asyncio", "aiohttp", "site"}
OPTIONS = ("-I", "-S", "-B", "-X", "utf8")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program from a folder like the image's, with an order on its input; stderr names each imported module."""
    app, work = tmp_path / "app", tmp_path / "work"
    app.mkdir()
    work.mkdir()
    for package in ("sidecar", "jobd", "msgspec", "urllib3"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        (app / package).symlink_to(Path(spec.origin).parent)
    started = []

    def begin(*artifacts: Artifact) -> "subprocess.Popen[bytes]":
        order = SidecarOrder(job_id="job-1", job_uid="uid-1", artifacts=list(artifacts), workspace=str(work))
        process = subprocess.Popen(
            [sys.executable, *OPTIONS, "-X", "importtime", str(app / "sidecar" / "start.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/nowhere"},
        )
        started.append(process)
        assert process.stdin is not None
        process.stdin.write(encode_order(order))
        process.stdin.close()
        process.stdin = None
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def until_ready(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    while not isinstance(decode_report(process.stdout.readline()), Ready):
        pass


def modules(stderr: bytes) -> set[str]:
    return {
        line.rpartition("|")[2].strip()
        for line in stderr.decode().splitlines()
        if line.startswith("import time:")
    }


def test_writing_and_reading_import_nothing_that_only_transfers_need(start: Start) -> None:
    process = start(
        Write(id="given", source="42\n", out="a/in.txt", mode="0600"),
        Read(id="found", source="a/in.txt", depends="job"),
    )
    until_ready(process)
    process.send_signal(signal.SIGUSR1)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    reports = [decode_report(line) for line in stdout.splitlines()]
    assert isinstance(reports[-1], Done)
    assert [r.content for r in reports if isinstance(r, ArtifactDone)] == [42]
    imported = modules(stderr)
    assert "sidecar.runner" in imported
    assert not {name.partition(".")[0] for name in imported} & (TRANSFERS_ONLY | SLOW)


def test_inputs_alone_import_no_json(start: Start) -> None:
    process = start(Write(id="given", source="x", out="x"))
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert isinstance(decode_report(stdout.splitlines()[-1]), Done)
    assert "json" not in modules(stderr)


def test_the_modules_of_outputs_are_imported_while_the_worker_runs(start: Start) -> None:
    process = start(
        Write(id="given", source="x", out="x"), Archive(id="packed", source="x", out="x.tgz", depends="job")
    )
    until_ready(process)
    assert process.stderr is not None
    seen, deadline = b"", time.monotonic() + PATIENCE_S
    while "tarfile" not in modules(seen):
        assert time.monotonic() < deadline
        assert select.select([process.stderr], [], [], PATIENCE_S)[0]
        seen += process.stderr.read1(1 << 16)  # type: ignore[attr-defined]  # a pipe is a BufferedReader
    process.send_signal(signal.SIGUSR1)
    stdout, _ = process.communicate(timeout=PATIENCE_S)
    assert isinstance(decode_report(stdout.splitlines()[-1]), Done)
