"""Validation of what a job wants of its container: signals, mounts, network, ports, limits, devices.

Pure. Whether a caller may mount a path, whether a network exists and which devices are allowed, the daemon alone can tell.

Source: man/job.5; Docker Engine API, ContainerCreate; mount(8), "tmpfs"; getrlimit(2).
"""

import re
from collections.abc import Iterator

from jobd.wire.container import ULIMITS, UNLIMITED
from jobd.wire.job import SECRETS_FOLDER, JobSpec
from jobd.wire.problem import Problem
from jobd.wire.validation.limits import (
    MAX_DEVICES,
    MAX_MOUNTS,
    MAX_PATH,
    MAX_SHM_MB,
    MAX_STOP_S,
    MAX_TMPFS,
    MAX_TMPFS_OPTIONS,
    MAX_ULIMIT,
)
from jobd.wire.validation.names import workspace_problem
from jobd.wire.validation.network import network_problems

_TMPFS_OPTION = re.compile(
    r"^(rw|ro|exec|noexec|nosuid|nodev|noatime|size=[0-9]{1,18}[kmgKMG%]?|mode=[0-7]{3,4}"
    r"|uid=[0-9]{1,10}|gid=[0-9]{1,10}|nr_inodes=[0-9]{1,18}[kmgKMG]?)\Z"
)
_PERMISSIONS = re.compile(r"^(?!.*(.).*\1)[rwm]{1,3}\Z")
_DEVICES = "/dev/"


def container_problems(spec: JobSpec) -> Iterator[Problem]:
    """Yields the problems of the fields from `stopTimeoutSeconds` to `devices`."""
    if not 0 <= spec.stop_timeout_seconds <= MAX_STOP_S:
        yield Problem("stopTimeoutSeconds", f"must be from 0 to {MAX_STOP_S} seconds")
    if spec.working_dir and (why := workspace_problem(spec.working_dir)):
        yield Problem("workingDir", why)
    yield from _mounts(spec)
    yield from _tmpfs(spec.tmpfs)
    yield from _targets(spec)
    if not 0 <= spec.shm_size <= MAX_SHM_MB:
        yield Problem("shmSize", f"must be from 1 to {MAX_SHM_MB} MB; 0 is the engine's default")
    yield from network_problems(spec)
    yield from _ulimits(spec)
    yield from _devices(spec)


def host_path_problem(path: str) -> str | None:
    """Returns why `path` cannot name a file of the engine's machine, None where it can. The daemon resolves links and `..`."""
    if not path.startswith("/") or "\0" in path or len(path) > MAX_PATH:
        return "must be an absolute path"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "must be text"
    return None


def _mounts(spec: JobSpec) -> Iterator[Problem]:
    if len(spec.mounts) > MAX_MOUNTS:
        yield Problem("mounts", f"must have at most {MAX_MOUNTS} entries")
        return
    for index, mount in enumerate(spec.mounts):
        if why := host_path_problem(mount.source):
            yield Problem(f"mounts[{index}].source", why)
        if why := workspace_problem(mount.target):
            yield Problem(f"mounts[{index}].target", why)
    if spec.mounts and spec.cap_add:
        yield Problem("capAdd", "a job with mounts gets no capabilities; leave out capAdd or mounts")


def _tmpfs(tmpfs: dict[str, str]) -> Iterator[Problem]:
    if len(tmpfs) > MAX_TMPFS:
        yield Problem("tmpfs", f"must have at most {MAX_TMPFS} entries")
        return
    for path, options in tmpfs.items():
        at = f"tmpfs.{path[:64]}"
        if why := workspace_problem(path):
            yield Problem(at, f"the path {why}")
        if len(options) > MAX_TMPFS_OPTIONS:
            yield Problem(at, f"must have at most {MAX_TMPFS_OPTIONS} characters of options")
            continue
        for option in options.split(",") if options else ():
            if not _TMPFS_OPTION.match(option):
                yield Problem(
                    at,
                    f"{option[:40]!r} is no option of a tmpfs here; use size=64m, mode=1777, uid, gid, nr_inodes, ro, exec or noexec",
                )


def _targets(spec: JobSpec) -> Iterator[Problem]:
    """Yields a problem for each path in the container that lies in another one, or is another one.

    For a path in a mount, the engine would make a folder in that folder of the machine, as root.
    """
    taken = [("workspace", spec.workspace)]
    if spec.secrets:
        taken.append(("secrets", SECRETS_FOLDER))
    if len(spec.mounts) > MAX_MOUNTS or len(spec.tmpfs) > MAX_TMPFS:
        return
    wanted = [(f"mounts[{n}].target", mount.target) for n, mount in enumerate(spec.mounts)]
    wanted += [(f"tmpfs.{path[:64]}", path) for path in spec.tmpfs]
    for field, path in wanted:
        for other, other_path in taken:
            if _is_within(path, other_path) or _is_within(other_path, path):
                help_ = " (workspace has another path for it: -w)" if other == "workspace" else ""
                yield Problem(field, f"{path!r} and the path of {other}, {other_path!r}, overlap{help_}")
                break
        taken.append((field, path))


def _is_within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")


def _ulimits(spec: JobSpec) -> Iterator[Problem]:
    if len(spec.ulimits) > len(ULIMITS):
        yield Problem("ulimits", f"must have at most {len(ULIMITS)} entries")
        return
    seen: set[str] = set()
    for index, limit in enumerate(spec.ulimits):
        at = f"ulimits[{index}]"
        if limit.name not in ULIMITS:
            yield Problem(f"{at}.name", f"must be one of {', '.join(sorted(ULIMITS))}")
        elif limit.name in seen:
            yield Problem(f"{at}.name", f"{limit.name!r} is listed twice")
        seen.add(limit.name)
        for name, value in (("soft", limit.soft), ("hard", limit.hard)):
            if not UNLIMITED <= value <= MAX_ULIMIT:
                yield Problem(f"{at}.{name}", "must be a whole number, or -1 for no limit")
        if _amount(limit.soft) > _amount(limit.hard):
            yield Problem(f"{at}.soft", "must not be more than hard")


def _amount(limit: int) -> int:
    return MAX_ULIMIT if limit == UNLIMITED else limit


def _devices(spec: JobSpec) -> Iterator[Problem]:
    if len(spec.devices) > MAX_DEVICES:
        yield Problem("devices", f"must have at most {MAX_DEVICES} entries")
        return
    for index, device in enumerate(spec.devices):
        at = f"devices[{index}]"
        for name, path in (("source", device.source), ("target", device.target)):
            parts = path.split("/")
            if (
                not path.startswith(_DEVICES)
                or "\0" in path
                or len(path) > MAX_PATH
                or {"", ".", ".."} & set(parts[1:])
            ):
                yield Problem(f"{at}.{name}", "must be the path of a device, such as /dev/fuse")
        if not _PERMISSIONS.match(device.permissions):
            yield Problem(f"{at}.permissions", "must be some of the letters r, w and m, such as rw")
