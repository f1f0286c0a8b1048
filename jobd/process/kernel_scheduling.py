"""Asks the kernel's scheduler to run jobd soon after it wakes: jobs keep all cores busy, and jobd mostly waits.

Owns two requests: for a short time slice, which needs no privilege, and, in a session of jobd's own, for more weight than a container has.
What the kernel or the operator does not allow is left as it is.

Source: sched_setattr(2); sched(7), "The autogroup feature".
"""

import ctypes
import logging
import os
import platform
import re
import struct
from pathlib import Path

SLICE_NS = 100_000
"""The smallest slice that the kernel takes."""
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""The numbers of sched_setattr and sched_getattr."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""size, policy, flags, nice, priority, runtime (ns), deadline, period."""
_ORDINARY = 0
AUTOGROUP = Path("/proc/self/autogroup")
WEIGHT_NICE = -10
"""Some ten times the weight of all containers together where the engine has one group for them, as `CPUWeight=1000` in the units of systemd."""

log = logging.getLogger(__name__)


def ask_for_short_turns() -> bool:
    """Sets the slice of this thread, and of threads that it starts later. Linux 6.12 takes `sched_runtime` as the slice of an ordinary task, and
    prefers a task with a short one when it wakes; its share of the processor stays the same. Older kernels ignore it.

    Returns False if the kernel has no such call, or refuses.
    """
    numbers = _CALLS.get(platform.machine())
    if numbers is None:
        return False
    set_call, get_call = numbers
    kernel = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if kernel.syscall(get_call, 0, attributes, _ATTRIBUTES.size, 0) != 0:
        return False
    _, policy, flags, nice, priority, *_ = _ATTRIBUTES.unpack(attributes.raw)
    if policy != _ORDINARY:
        return False  # the operator has chosen another policy
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, flags, nice, priority, SLICE_NS, 0, 0)
    if kernel.syscall(set_call, 0, wanted, 0) != 0:
        log.debug("no short time slice", extra={"action": "start", "errno": ctypes.get_errno()})
        return False
    return True


def ask_for_weight(autogroup: Path = AUTOGROUP) -> bool:
    """Gives jobd's session more weight. Needs root, and has no effect in a unit of systemd or in a container, which have weights of their own.

    Returns False if nothing was changed: the session is a terminal's, the operator has set a weight, or the kernel refuses.
    """
    if os.getsid(0) != os.getpid():
        return False
    try:
        if re.search(r" nice 0$", autogroup.read_text()) is None:
            return False
        autogroup.write_text(str(WEIGHT_NICE))
    except OSError as error:
        log.debug("no weight of its own", extra={"action": "start", "error": str(error)})
        return False
    return True
