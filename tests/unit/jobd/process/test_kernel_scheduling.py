"""The time slice and the weight of jobd, as the kernel then reports them."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobd.process.kernel_scheduling import SLICE_NS, WEIGHT_NICE, ask_for_short_turns, ask_for_weight

PROGRAM = """
import os
from pathlib import Path
from jobd.process.kernel_scheduling import ask_for_short_turns
os.nice(1)
before = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
assert ask_for_short_turns()
assert before == (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
shown = Path("/proc/self/sched")
print(shown.read_text() if shown.exists() else "")
"""
TAKES_A_SLICE = (6, 12)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="the call has a number for x86-64 and ARM64"
)
def test_the_slice_is_set_and_the_priority_stays() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    kernel = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    shown = re.search(r"se\.slice\s*:\s*(\d+)", ran.stdout)
    if kernel >= TAKES_A_SLICE and shown:
        assert int(shown[1]) == SLICE_NS


def test_another_machine_has_no_such_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not ask_for_short_turns()


WEIGHED = """
import sys
from pathlib import Path
from jobd.process.kernel_scheduling import AUTOGROUP, ask_for_weight
before = AUTOGROUP.read_text()
print(ask_for_weight(), AUTOGROUP.read_text() == before, ask_for_weight(), AUTOGROUP.read_text())
"""
AUTOGROUPS = Path("/proc/sys/kernel/sched_autogroup_enabled")


def weighed(*, own_session: bool) -> list[str]:
    command = [sys.executable, "-c", WEIGHED]
    ran = subprocess.run(
        command, start_new_session=own_session, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.split()


CAP_SYS_NICE = 23


def may_set_weights() -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return AUTOGROUPS.exists() and found is not None and bool(int(found[1], 16) >> CAP_SYS_NICE & 1)


@pytest.mark.skipif(
    not may_set_weights(), reason="this kernel has no weights of sessions, or this user may not set them"
)
def test_a_session_of_its_own_gets_weight_once_and_a_session_with_others_none() -> None:
    changed, is_same, again, _, _, nice = weighed(own_session=True)
    assert (changed, is_same, again, nice) == ("True", "False", "False", str(WEIGHT_NICE))
    changed, is_same, *_ = weighed(own_session=False)
    assert (changed, is_same) == ("False", "True")


def test_the_weight_is_set_where_the_operator_has_set_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
    own = tmp_path / "autogroup"
    own.write_text("/autogroup-1 nice 0\n")
    assert ask_for_weight(own)
    assert own.read_text() == str(WEIGHT_NICE)


def test_a_kernel_without_weights_of_sessions_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
    assert not ask_for_weight(tmp_path / "autogroup")
    own = tmp_path / "set"
    own.write_text("/autogroup-1 nice 5\n")
    assert not ask_for_weight(own)
    assert own.read_text() == "/autogroup-1 nice 5\n", "the operator's choice stays"
