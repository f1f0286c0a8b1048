"""Which files and folders of the engine's machine a job may have, for whom, and as which user the job then runs.

Owns the decision and its texts; `paths.py` resolves paths, `rights.py` has the kernel's rules. The operator's folders may be mounted by
every client, and for every user of a container. All other mounts are for a caller of the Unix socket who has the rights; the
worker then runs as that caller, so that the kernel checks each file in a mounted folder.

Source: docs/adr/0020-mounts-with-the-callers-rights.md.
"""

import asyncio
import os
import pwd
import re
import stat
from collections.abc import Sequence

from msgspec.structs import replace

from jobd.errors import InvalidRequest
from jobd.jobs.mounts.paths import FileId, PathRefused, Resolved, ids_of, resolve
from jobd.jobs.mounts.rights import READ, ROOT, SEARCH, WRITE, Identity, may
from jobd.jobs.port.model import EngineFacts, HostMount
from jobd.jobs.record.parts import Caller
from jobd.wire.container import Mount
from jobd.wire.job import JobSpec

CHECK_LIMIT_S = 10.0
"""A file system that does not respond, such as a network's, refuses the job after this time."""
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")
_USER = re.compile(r"^([0-9]{1,10})(?::([0-9]{1,10}))?\Z")


def as_caller(spec: JobSpec, caller: Caller | None) -> JobSpec:
    """Returns the spec whose worker runs as the caller, if it has mounts and names no other user. Root may choose any user."""
    if not spec.mounts or caller is None or caller.uid == ROOT or spec.user not in (None, str(caller.uid)):
        return spec
    # Without a group, the image would choose one in its own table of users.
    return replace(spec, user=f"{caller.uid}:{caller.gid}")


class HostMounts:
    """The mounts of one daemon. `own_paths`: files and folders of jobd that no job gets, and no folder that contains one of them;
    `allowed`: the operator's folders.
    """

    def __init__(self, own_paths: Sequence[str] = (), allowed: Sequence[str] = ()) -> None:
        self._own_paths = tuple(own_paths)
        self._allowed = tuple(allowed)
        self._engine_paths: tuple[str, ...] = ()
        self._shares_files = True

    def take_engine_facts(self, facts: EngineFacts) -> None:
        """Takes the paths of the engine itself, and whether the engine has the files of this machine."""
        self._engine_paths, self._shares_files = facts.own_paths, facts.shares_files

    async def check(self, spec: JobSpec, caller: Caller | None) -> tuple[HostMount, ...]:
        """Returns the mounts at paths without links. The spec is one of `as_caller`.

        Raises:
            InvalidRequest: names the mount, or the user, that this caller cannot have.
        """
        if not spec.mounts:
            return ()
        try:
            async with asyncio.timeout(CHECK_LIMIT_S):
                return await asyncio.to_thread(self._checked, spec, caller)
        except TimeoutError:
            raise InvalidRequest("the file system of a mount does not respond", field="mounts") from None

    async def refusal(self, spec: JobSpec, caller: Caller | None) -> str | None:
        """Returns why the job may not have its mounts any more; None: it may, or has none."""
        if spec.mounts:
            try:
                await self.check(spec, caller)
            except InvalidRequest as error:
                return str(error)
        return None

    def _checked(self, spec: JobSpec, caller: Caller | None) -> tuple[HostMount, ...]:
        if not self._shares_files:
            why = "the container engine runs on another machine; send the files instead (--in PATH=SOURCE)"
            raise InvalidRequest(why, field="mounts")
        identity = None if caller is None else _identity(caller)
        inside, above = self._own_ids()
        operators = {ids[-1] for path in self._allowed if (ids := ids_of(path))}
        mounts, all_open = [], True
        for index, mount in enumerate(spec.mounts):
            try:
                found, is_open = _found(mount, identity, operators)
                _refuse_own(found, mount, inside, above)
            except PathRefused as error:
                raise InvalidRequest(
                    f"{mount.source!r} cannot be mounted: {error}", field=f"mounts[{index}].source"
                ) from None
            mounts.append(HostMount(found.path, mount.target, mount.read_only))
            all_open = all_open and is_open
        if identity is not None and identity.uid != ROOT and not all_open:
            _check_user(spec, identity)
        return tuple(mounts)

    def _own_ids(self) -> tuple[set[FileId], set[FileId]]:
        """Returns the ids of what no job gets, and of the folders that contain it."""
        inside: set[FileId] = set()
        above: set[FileId] = set()
        for path in (*self._own_paths, *self._engine_paths):
            if ids := ids_of(path):
                inside.add(ids[-1])
                above.update(ids[:-1])
        return inside, above


def _identity(caller: Caller) -> Identity:
    """Returns the caller with the groups of the system's database. Source: getgrouplist(3)."""
    try:
        groups = os.getgrouplist(pwd.getpwuid(caller.uid).pw_name, caller.gid)
    except KeyError:
        groups = [caller.gid]
    return Identity(caller.uid, frozenset({caller.gid, *groups}))


def _found(mount: Mount, identity: Identity | None, operators: set[FileId]) -> tuple[Resolved, bool]:
    """Returns what the mount's source is, and whether the operator allows it to everybody. Raises PathRefused."""
    if operators:
        try:
            found = resolve(mount.source, None, _OF_THE_KERNEL)
        except PathRefused:
            pass  # a caller sees only what the caller's own rights show
        else:
            if operators & set(found.ids):
                return found, True
    if identity is None:
        raise PathRefused(
            "over TCP jobd does not know who asks, and mounts only what is below a folder of ALLOW_MOUNTS, which the operator"
            " sets; use the Unix socket, or send the files: --in PATH=SOURCE"
        )
    found = resolve(mount.source, identity, _OF_THE_KERNEL)
    is_folder = stat.S_ISDIR(found.attributes.mode)
    read = READ | SEARCH if is_folder else READ
    if not may(identity, found.attributes, read):
        raise PathRefused("you may not read it")
    if not mount.read_only and not may(identity, found.attributes, read | WRITE):
        raise PathRefused("you may read it, but not write to it; mount it read-only (:ro)")
    return found, False


def _refuse_own(found: Resolved, mount: Mount, inside: set[FileId], above: set[FileId]) -> None:
    """Raises PathRefused: the object belongs to the kernel, to jobd or to the engine, or contains what does."""
    if found.path in ("/", *_OF_THE_KERNEL):
        raise PathRefused("no job gets /, /proc, /sys or /dev; for a device use --device")
    if stat.S_ISBLK(found.attributes.mode) or stat.S_ISCHR(found.attributes.mode):
        raise PathRefused("it is a device; use --device")
    if inside & set(found.ids):
        raise PathRefused("it is a file of jobd's own or of the container engine, which no job gets")
    if found.ids[-1] in above:
        raise PathRefused(
            "it contains jobd's own files or those of the container engine, which no job gets; mount a folder below it"
        )


def _check_user(spec: JobSpec, identity: Identity) -> None:
    """Raises InvalidRequest: the worker would not run as the caller, or in a group that the caller is not in."""
    user = _USER.match(spec.user or "")
    if user is None or int(user[1]) != identity.uid or user[2] is None or int(user[2]) not in identity.gids:
        raise InvalidRequest(
            "a job with folders of this machine runs as its caller, so that the caller's rights count for each file: leave user out,"
            f" or give {identity.uid} and a group of yours (--user me)",
            field="user",
        )
