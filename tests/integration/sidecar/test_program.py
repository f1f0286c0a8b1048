"""The whole program: orders on stdin and in variables, signals, exit codes."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.artifact import Download, Read, Unarchive, Upload, Write
from jobd.wire.report import (
    ArtifactDone,
    Done,
    InputsFailed,
    OutputsStarted,
    Ready,
    Refused,
    Started,
    encode_order,
)
from tests.integration.sidecar.orders import order_of

Variables = Callable[..., dict[str, str]]
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_inputs_worker_outputs(start: Any, server: Any, root: Path) -> None:
    order = order_of(
        root,
        Download(id="in", source=server.on("/in", server.answer(200, b"[1,2]")), out="data/in.json"),
        Read(id="result", source="data/out.json", depends="job"),
        Upload(id="up", source="data/out.json", out=server.on("/out", server.answer(200)), depends="result"),
    )
    program = start(encode_order(order))
    program.until(Ready)
    assert (root / "data/in.json").read_bytes() == b"[1,2]"
    assert (root / ".ready").exists()
    (root / "data/out.json").write_text('{"sum": 3}')
    program.process.send_signal(signal.SIGUSR1)
    program.until(OutputsStarted)
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 0
    assert [r.n for r in program.reports] == list(range(1, len(program.reports) + 1))
    assert isinstance(program.reports[0], Started)
    results = {r.artifact_id: r for r in program.reports if isinstance(r, ArtifactDone)}
    assert results["result"].content == {"sum": 3}
    assert not results["result"].sent
    assert server.seen[-1].body == b'{"sum": 3}'
    assert program.stderr() == ""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_during_the_first_report_is_not_lost(start: Any, root: Path, number: int) -> None:
    """From `Started` on a signal is heard: it cancels, or, once ready, it ends the wait."""
    program = start(encode_order(order_of(root, Read(id="r", source="x", depends="job", when="always"))))
    program.until(Started)
    program.process.send_signal(number)
    code = program.end()
    is_done = isinstance(program.reports[-1], Done)
    assert code == (0 if is_done else 1)
    assert is_done or "cancelled" in program.stderr()


def test_repeated_signals_change_nothing(start: Any, root: Path) -> None:
    (root / "x").write_text("x")
    reads = [Read(id=f"r{n}", source="x", depends="job") for n in range(20)]
    program = start(encode_order(order_of(root, *reads)))
    program.until(Ready)
    stop = threading.Event()

    def pester() -> None:
        while not stop.is_set() and program.process.poll() is None:
            program.process.send_signal(signal.SIGUSR1)
            program.process.send_signal(signal.SIGTERM)

    thread = threading.Thread(target=pester)
    thread.start()
    try:
        assert program.end() == 0
    finally:
        stop.set()
        thread.join(30)
    assert sum(isinstance(r, ArtifactDone) and r.status == "success" for r in program.reports) == 20
    assert program.reports[-1].n == len(program.reports)


def test_a_signal_ends_a_download_that_hangs(start: Any, server: Any, root: Path) -> None:
    order = order_of(root, Download(id="d", source=server.on("/x", server.stall), out="x"))
    program = start(encode_order(order))
    program.until(Started)
    wait_for(lambda: bool(server.seen))
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 1
    assert not any(isinstance(report, InputsFailed) for report in program.reports), (
        "a stopping engine signals too"
    )
    assert "cancelled" in program.stderr()
    assert list(root.iterdir()) == []


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("the condition did not come true in time")


def test_an_order_of_900_kilobytes_arrives_whole(start: Any, root: Path) -> None:
    text = "é\n\0" * 225_000
    line = encode_order(order_of(root, Write(id="w", source=text, out="large")))
    assert len(line) > 900_000
    program = start(line)
    assert program.end() == 0
    assert (root / "large").read_bytes() == text.encode()


@pytest.mark.parametrize(
    "cut", ["no newline", "half", "nothing", "not JSON", "circle", "no workspace", "not utf8"]
)
def test_an_order_that_cannot_be_carried_out_is_refused(start: Any, root: Path, cut: str) -> None:
    whole = encode_order(order_of(root, Write(id="w", source="x", out="y")))
    circle = [Write(id="a", source="", out="x", depends="b"), Write(id="b", source="", out="y", depends="a")]
    given = {
        "no newline": whole[:-1],
        "half": whole[: len(whole) // 2] + b"\n",
        "nothing": b"",
        "not JSON": b"hello\n",
        "circle": encode_order(order_of(root, *circle)),
        "no workspace": encode_order(order_of(root, workspace=str(root / "none"))),
        "not utf8": whole.replace(b'"x"', b'"\xff"'),
    }[cut]
    program = start(given)
    assert program.end() == 64
    (refused,) = program.reports
    assert isinstance(refused, Refused)
    assert refused.n == 1
    assert list(root.iterdir()) == []


def test_a_failed_input_ends_with_code_1(start: Any, server: Any, root: Path) -> None:
    order = order_of(
        root,
        Download(id="d", source=server.on("/x", server.answer(404)) + "?sig=sesame", out="a.tgz"),
        Unarchive(id="u", source="a.tgz", out=".", depends="d"),
    )
    program = start(encode_order(order))
    assert program.end() == 1
    end = program.reports[-1]
    assert isinstance(end, InputsFailed)
    assert end.error.startswith("input 'd' (download) failed: GET http://127.0.0.1")
    assert "sesame" not in str(program.reports) + program.stderr()


def test_variables_give_the_order(start: Any, server: Any, root: Path, variables: Variables) -> None:
    given = variables(
        {"id": "w", "type": "write", "in": "made", "out": "result", "mode": "0600"},
        {"id": "r", "type": "read", "in": "result", "depends": "job"},
        {
            "id": "u",
            "type": "upload",
            "in": "result",
            "out": server.on("/up", server.answer(500)),
            "depends": "job",
        },
        {
            "id": "slow",
            "type": "upload",
            "in": "result",
            "out": server.on("/slow", server.stall),
            "depends": "job",
        },
    )
    program = start(**given, UPLOAD_RETRIES="1", UPLOAD_TIMEOUT="500ms")
    program.until(Ready)
    assert stat.S_IMODE((root / "result").stat().st_mode) == 0o600
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert program.reports[-1] == Done(n=len(program.reports), failed=["u", "slow"])
    errors = {r.artifact_id: r.error or "" for r in program.reports if isinstance(r, ArtifactDone)}
    assert "500 Internal Server Error, after 2 tries" in errors["u"]
    assert "not finished within 0.5 seconds" in errors["slow"]


def test_invalid_variables_are_reported_together(start: Any, variables: Variables) -> None:
    program = start(
        **variables() | {"ARTIFACTS_JSON": "[1]"}, JOB_META="x", UPLOAD_TIMEOUT="5", TIMEOUT_SECONDS="soon"
    )
    assert program.end() == 64
    (refused,) = program.reports
    assert isinstance(refused, Refused)
    for name in ("JOB_META", "UPLOAD_TIMEOUT", "TIMEOUT_SECONDS", "ARTIFACTS_JSON"):
        assert name in refused.error


def test_a_closed_stdout_does_not_stop_the_outputs(start: Any, root: Path) -> None:
    from jobd.wire.artifact import Archive

    (root / "x").write_text("x")
    program = start(encode_order(order_of(root, Archive(id="a", source="x", out="x.tgz", depends="job"))))
    program.until(Ready)
    program.process.stdout.close()
    program.process.send_signal(signal.SIGUSR1)
    assert program.process.wait(30) == 0
    assert (root / "x.tgz").exists()


def test_a_full_disk_is_named_and_leaves_nothing(start: Any, server: Any, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small file system")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], check=True)
    try:
        order = order_of(
            small, Download(id="d", source=server.on("/x", server.answer(200, b"x" * 600_000)), out="x")
        )
        program = start(encode_order(order))
        assert program.end() == 1
        end = program.reports[-1]
        assert isinstance(end, InputsFailed)
        assert "no space left on the disk" in end.error
        assert len(server.seen) == 1
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_console_script_has_an_entry_point() -> None:
    code = "from sidecar.__main__ import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"",
        capture_output=True,
        timeout=30,
        env={},
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 64
    assert b"no order on standard input" in done.stdout
