"""The sidecar in a Pod: SIGTERM means that the worker has ended, not how, and a sidecar that ends before it would be started again."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.artifact import Read, Write
from jobd.wire.report import ArtifactDone, Done, InputsFailed, OutputsStarted, Ready, Refused, encode_order
from sidecar import pod
from tests.integration.sidecar.conftest import PATIENCE_S
from tests.integration.sidecar.orders import order_of

PROGRAM = (pod.__file__, "--order")


def handles_signals(program: Any) -> None:
    """Returns once the program has a handler for SIGTERM: process 1 of a container ignores the signal before."""
    status = Path(f"/proc/{program.process.pid}/status")
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)):
            return
        time.sleep(0.01)
    pytest.fail("no handler")


def stays(program: Any) -> None:
    time.sleep(0.3)
    assert program.process.poll() is None


@pytest.mark.parametrize(("number", "done"), [(signal.SIGUSR1, "success"), (signal.SIGUSR2, "failure")])
def test_sigterm_alone_decides_nothing_and_the_outputs_follow_what_is_told(
    start: Any, root: Path, number: int, done: str
) -> None:
    (root / "f").write_text("x")
    reads = [Read(id=when, source="f", depends="job", when=when) for when in ("success", "failure")]
    program = start(encode_order(order_of(root, *reads)), PROGRAM)
    program.until(Ready)
    program.process.send_signal(signal.SIGTERM)
    stays(program)
    assert not any(isinstance(one, OutputsStarted) for one in program.reports)
    program.process.send_signal(number)
    assert program.end() == 0
    results = {one.artifact_id: one.status for one in program.reports if isinstance(one, ArtifactDone)}
    assert results == {"success": "skipped", "failure": "skipped", done: "success"}


def test_outputs_that_end_before_sigterm_are_followed_by_a_wait_for_it(start: Any, root: Path) -> None:
    (root / "f").write_text("x")
    program = start(encode_order(order_of(root, Read(id="r", source="f", depends="job"))), PROGRAM)
    program.until(Ready)
    program.process.send_signal(signal.SIGUSR1)
    program.until(Done)
    stays(program)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0


def test_a_sidecar_without_outputs_stays_for_its_worker(start: Any, root: Path) -> None:
    program = start(encode_order(order_of(root, Write(id="w", source="x", out="w"))), PROGRAM)
    program.until(Done)
    stays(program)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0


@pytest.mark.parametrize(("order", "code"), [(b"nonsense\n", 64), (None, 1)])
def test_failed_inputs_stay_too(start: Any, root: Path, order: bytes | None, code: int) -> None:
    missing = encode_order(order_of(root, Write(id="w", source="x", out="a/../../b")))
    program = start(missing if order is None else order, PROGRAM)
    program.until(Refused if order else InputsFailed)
    stays(program)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == code


def test_without_an_order_it_only_waits(start: Any, root: Path) -> None:
    program = start(b"", (pod.__file__,))
    handles_signals(program)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert program.reports == []


def test_it_keeps_the_files_until_jobd_needs_them_no_more(start: Any, tmp_path: Path) -> None:
    end = tmp_path / "end"
    code = f"import sys; from sidecar import pod; pod.END_FILE = {str(end)!r}; pod.LOOK_S = 0.05; sys.exit(pod.main(['--keep']))"
    program = start(b"", ("-c", code))
    handles_signals(program)
    program.process.send_signal(signal.SIGTERM)
    stays(program)
    end.touch()
    assert program.end() == 0
