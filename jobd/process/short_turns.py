"""Asks the kernel to run jobd soon after it wakes, for a short time.

Owns one call. Jobs keep all cores busy, and jobd mostly waits: with a short time slice the kernel's scheduler prefers a task that has
just woken up, so that jobd reacts in time. The share of the processor stays the same, so no privilege is needed. Linux 6.12 takes `sched_runtime` as the
slice of an ordinary task; older kernels ignore it.

Source: sched_setattr(2).
"""

import ctypes
import logging
import platform
import struct

SLICE_NS = 100_000
"""The smallest slice that the kernel takes."""
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""The numbers of sched_setattr and sched_getattr."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""size, policy, flags, nice, priority, runtime (ns), deadline, period."""
_ORDINARY = 0

log = logging.getLogger(__name__)


def ask_for_short_turns() -> bool:
    """Sets the slice of this thread, and of threads that it starts later. Returns False if the kernel has no such call, or refuses."""
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
