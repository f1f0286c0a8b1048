"""The rights of a user on a file are those that the kernel gives."""

import os
import random
import struct
from pathlib import Path

import pytest

from jobd.jobs.mounts.paths import resolve
from jobd.jobs.mounts.rights import READ, SEARCH, WRITE, AclEntry, Attributes, Identity, acl_of, may

ME = Identity(1000, frozenset({1000, 27}))


@pytest.mark.parametrize(
    ("file", "wanted", "allowed"),
    [
        (Attributes(1000, 0, 0o100600), READ | WRITE, True),
        (Attributes(1000, 0, 0o100400), WRITE, False),
        (Attributes(1000, 27, 0o100070), READ, False),  # the owner's rights count, and no others
        (Attributes(0, 27, 0o100640), READ, True),
        (Attributes(0, 27, 0o100604), READ, False),  # the group's rights count, and not those of others
        (Attributes(0, 28, 0o100604), READ, True),
        (Attributes(0, 28, 0o040711), SEARCH, True),
        (Attributes(0, 28, 0o040711), READ | SEARCH, False),
    ],
)
def test_owner_group_and_others_in_this_order(file: Attributes, wanted: int, allowed: bool) -> None:
    assert may(ME, file, wanted) is allowed


def test_root_may_all() -> None:
    assert may(Identity(0, frozenset()), Attributes(1000, 1000, 0o100000), READ | WRITE)


@pytest.mark.parametrize(
    ("acl", "allowed"),
    [
        ((AclEntry(1, 7), AclEntry(2, 0, 1000), AclEntry(4, 7), AclEntry(0x10, 7), AclEntry(0x20, 7)), False),
        ((AclEntry(1, 7), AclEntry(2, 7, 1000), AclEntry(4, 0), AclEntry(0x10, 7), AclEntry(0x20, 0)), True),
        ((AclEntry(1, 7), AclEntry(2, 7, 1000), AclEntry(4, 0), AclEntry(0x10, 0), AclEntry(0x20, 0)), False),
        ((AclEntry(1, 7), AclEntry(4, 0), AclEntry(8, 4, 27), AclEntry(0x10, 7), AclEntry(0x20, 0)), True),
        ((AclEntry(1, 7), AclEntry(4, 0), AclEntry(8, 0, 27), AclEntry(0x10, 7), AclEntry(0x20, 7)), False),
        ((AclEntry(1, 7), AclEntry(4, 0), AclEntry(8, 7, 99), AclEntry(0x10, 0), AclEntry(0x20, 4)), True),
    ],
)
def test_an_access_list_counts_over_the_mode(acl: tuple[AclEntry, ...], allowed: bool) -> None:
    assert may(ME, Attributes(0, 0, 0o100777, acl), READ) is allowed


@pytest.mark.parametrize("data", [b"", b"\x02\0\0", b"\x01\0\0\0", b"\x02\0\0\0x"])
def test_a_damaged_access_list_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="access list"):
        acl_of(data)


@pytest.mark.skipif(os.geteuid() != 0, reason="files of other users need root")
def test_the_kernel_gives_the_same_rights(tmp_path: Path) -> None:
    chance = random.Random(7)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/") and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    files = []
    for number in range(120):
        path = tmp_path / str(number)
        path.touch()
        os.chown(path, chance.choice([0, 1000, 1001]), chance.choice([0, 27, 1000]))
        path.chmod(chance.randrange(0o1000))
        if number % 2 and not _set_acl(path, chance):
            continue
        files.append(path)
    wanted = [READ, WRITE, SEARCH, READ | WRITE]
    ours = [may(ME, resolve(str(path), ME).attributes, each) for path in files for each in wanted]
    assert ours == _kernel(files, wanted)


def _set_acl(path: Path, chance: random.Random) -> bool:
    entries = [(1, 0), (2, 1000), (4, 0), (8, chance.choice([27, 1000, 99])), (0x10, 0), (0x20, 0)]
    none = 0xFFFFFFFF
    data = struct.pack("<I", 2)
    for tag, who in entries:
        if tag == 2 and chance.random() < 0.5:
            continue
        data += struct.pack("<HHI", tag, chance.randrange(8), who or none)
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError:
        return False
    return True


def _kernel(files: list[Path], wanted: list[int]) -> list[bool]:
    """Asks the kernel in a process of that user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(sorted(ME.gids))
            os.setgid(1000)
            os.setuid(1000)
            answers = bytes(os.access(path, each) for path in files for each in wanted)
            os.write(writing, answers)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers_of_child:
        found = answers_of_child.read()
    os.waitpid(child, 0)
    return [bool(each) for each in found]
