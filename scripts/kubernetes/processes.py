"""The cluster's processes: each in one mount and one PID namespace, so that the end of the namespace's init ends all of them.

Owns which processes are the cluster's own: a pid with the process's start time, which no other process has.

Source: namespaces(7), proc_pid_stat(5).
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.kubernetes.build import program
from scripts.kubernetes.commands import Failed, wait
from scripts.kubernetes.places import BIN, DEBIAN, LOGS, PROCESSES, STATE

INIT = "init"
_OWN = ("--mount", "--pid", "--fork", "--propagation", "private", "--mount-proc")
_FAKES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What a kubelet would set for the whole machine: the kubelet is shown files that have these values."""


def pid_of(name: str) -> int | None:
    """Returns the pid of a running process of the cluster."""
    try:
        pid, started = (PROCESSES / name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _started(pid) == started else None


def start(name: str, command: Sequence[object]) -> None:
    """Starts a process inside the namespaces, unless it runs."""
    if pid_of(name) is not None:
        return
    path = f"{BIN}:{DEBIAN}/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environ = {"PATH": path, "HOME": str(STATE)}
    with (LOGS / f"{name}.log").open("ab") as log:
        outer = subprocess.Popen(
            ["nsenter", "-t", str(pid_of(INIT)), "-m", "-p", "--", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=environ,
        )
    _remember(name, _child_of(outer.pid))


def stop(name: str, number: int = signal.SIGTERM, limit_s: float = 60) -> None:
    """Ends a process, if it runs, and waits for its end."""
    pid = pid_of(name)
    if pid is not None:
        os.kill(pid, number)
        wait(f"the end of {name}", lambda: pid_of(name) is None, lambda: "", limit_s)


def explain(*names: str) -> str:
    """Returns the ends of the logs of these processes. Raises Failed if one of them has ended."""
    ended = [name for name in names if pid_of(name) is None]
    texts = []
    for name in ended or names:
        log = LOGS / f"{name}.log"
        lines = log.read_text("utf-8", "replace").splitlines()[-12:] if log.exists() else []
        texts.append("\n".join([f"--- {name}", *lines]))
    if ended:
        raise Failed(f"{ended[0]} has ended\n" + "\n".join(texts))
    return "\n".join(texts)


def start_namespaces() -> None:
    """Starts the namespaces' init. What would be written outside of the state folder goes to an overlay or a bind mount."""
    if pid_of(INIT) is not None:
        return
    for name in ("overlay/lib", "overlay/lib-work", "overlay/log", "overlay/log-work", "run", "etcd", "sys"):
        (STATE / name).mkdir(parents=True, exist_ok=True)
    lines = [
        "set -e",
        # The mounts of other containers would be kept alive by this namespace.
        "for m in $(awk '{print $5}' /proc/self/mountinfo | grep -E '^(/var/lib/docker|/run/docker|/var/run/docker)/'); do umount -l $m 2>/dev/null || true; done",
        "mkdir -p /run/containerd",
        f"mount --bind {STATE}/run /run/containerd",
        f"mount -t overlay -o lowerdir=/var/lib,upperdir={STATE}/overlay/lib,workdir={STATE}/overlay/lib-work overlay /var/lib",
        f"mount -t overlay -o lowerdir=/var/log,upperdir={STATE}/overlay/log,workdir={STATE}/overlay/log-work overlay /var/log",
        f"mount -t tmpfs -o size=1g,mode=0700 etcd {STATE}/etcd",
    ]
    for name, value in _FAKES.items():
        fake = STATE / "sys" / name.replace("/", ".")
        fake.write_text(f"{value}\n")
        lines.append(f"[ ! -e /proc/sys/{name} ] || mount --bind {fake} /proc/sys/{name}")
    lines += ["mount --make-rshared /", "echo ready", f"exec {BIN}/pause"]
    log = LOGS / f"{INIT}.log"
    with log.open("wb") as output:
        outer = subprocess.Popen(
            [program("unshare"), *_OWN, "sh", "-c", "\n".join(lines)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    _remember(INIT, _child_of(outer.pid))
    wait("the namespaces", lambda: log.read_text().rstrip().endswith("ready"), lambda: explain(INIT), 20)


def _started(pid: int | str) -> str | None:
    """Returns when a process started, in clock ticks; None for a process that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _remember(name: str, pid: int) -> None:
    (PROCESSES / name).write_text(f"{pid} {_started(pid)}")


def _child_of(pid: int, limit_s: float = 10.0) -> int:
    """Returns the child of unshare or nsenter, which is the process that counts."""
    deadline = time.monotonic() + limit_s
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while time.monotonic() < deadline:
        try:
            found = children.read_text().split()
        except OSError:
            break
        if found:
            return int(found[0])
        time.sleep(0.01)
    raise Failed(f"a process did not start; its log is in {LOGS}")
