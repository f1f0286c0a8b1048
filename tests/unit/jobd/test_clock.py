"""The real clocks."""

from pathlib import Path

from jobd.clock import SystemClock


def test_the_boot_id_is_read_once_and_is_short() -> None:
    clock = SystemClock()
    assert clock.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert clock.boot is clock.boot
    assert len(clock.boot) == 36
