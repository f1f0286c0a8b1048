"""The system call openat2(2), which Python lacks: opens a path beneath a directory, through no links.

Source: openat2(2), Linux 5.6.
"""

import ctypes
import errno
import os

_NUMBER = 437
"""The number on every architecture but Alpha."""
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_TRIES = 16


class _OpenHow(ctypes.Structure):
    _fields_ = [
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def open_beneath(directory_fd: int, path: str, flags: int) -> int:
    """Returns a descriptor of the existing `path` beneath the directory, through no link and no `..` out of it.

    Raises:
        OSError: ELOOP for a link, EXDEV for a path that leaves the directory, ENOSYS where the kernel lacks the call.
    """
    how = _OpenHow(
        flags=flags, mode=0, resolve=_RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS
    )
    code = errno.EAGAIN
    for _ in range(_TRIES):
        fd = int(
            _syscall(
                ctypes.c_long(_NUMBER),
                ctypes.c_int(directory_fd),
                ctypes.c_char_p(os.fsencode(path)),
                ctypes.byref(how),
                ctypes.c_size_t(ctypes.sizeof(how)),
            )
        )
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def is_available(directory_fd: int) -> bool:
    """True where the kernel has the call and no seccomp filter forbids it."""
    try:
        os.close(open_beneath(directory_fd, ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
