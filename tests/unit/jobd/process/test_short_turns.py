"""The time slice of jobd, as the kernel then reports it."""

import platform
import re
import subprocess
import sys

import pytest

from jobd.process.short_turns import SLICE_NS, ask_for_short_turns

PROGRAM = """
import os
from pathlib import Path
from jobd.process.short_turns import ask_for_short_turns
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
