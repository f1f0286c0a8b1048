"""Whether a user may read, write or search a file, from the file's owner, mode and access list. Pure.

Owns the rules of the kernel; `paths.py` reads the attributes of files.

Source: path_resolution(7), "Permissions"; acl(5), "ACCESS CHECK ALGORITHM".
"""

import struct
from dataclasses import dataclass

READ, WRITE, SEARCH = 4, 2, 1
_GROUP_BITS = 0o070
ROOT = 0
_VERSION, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_VERSION_2 = 2
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and the groups that the user is in."""

    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry of an access list: whom it is about, and the rights."""

    tag: int
    rights: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class Attributes:
    """A file's owner, group and mode. `acl`: its access list; empty: there is none."""

    uid: int
    gid: int
    mode: int
    acl: tuple[AclEntry, ...] = ()


def may(identity: Identity, file: Attributes, wanted: int) -> bool:
    """Returns whether the user has all rights in `wanted`, a sum of READ, WRITE and SEARCH. Root has them."""
    if identity.uid == ROOT:
        return True
    if file.acl and file.mode & _GROUP_BITS:  # the kernel reads no access list whose mask is empty
        return _by_list(identity, file, wanted)
    if identity.uid == file.uid:
        return _has(file.mode >> 6, wanted)
    return _has(file.mode >> 3 if file.gid in identity.gids else file.mode, wanted)


def acl_of(data: bytes) -> tuple[AclEntry, ...]:
    """Returns the entries of the extended attribute `system.posix_acl_access`.

    Raises:
        ValueError: the attribute has another form.
    """
    if len(data) < _VERSION.size or (len(data) - _VERSION.size) % _ENTRY.size:
        raise ValueError("the access list is damaged")
    if _VERSION.unpack_from(data)[0] != _VERSION_2:
        raise ValueError("the access list has an unknown version")
    return tuple(AclEntry(*entry) for entry in _ENTRY.iter_unpack(data[_VERSION.size :]))


def _by_list(identity: Identity, file: Attributes, wanted: int) -> bool:
    if identity.uid == file.uid:
        return any(_has(entry.rights, wanted) for entry in file.acl if entry.tag == _OWNER)
    mask = next((entry.rights for entry in file.acl if entry.tag == _MASK), READ | WRITE | SEARCH)
    for entry in file.acl:
        if entry.tag == _USER and entry.id == identity.uid:
            return _has(entry.rights & mask, wanted)
    groups = [
        entry.rights & mask
        for entry in file.acl
        if (entry.tag == _OWNING_GROUP and file.gid in identity.gids)
        or (entry.tag == _GROUP and entry.id in identity.gids)
    ]
    if groups:
        return any(_has(rights, wanted) for rights in groups)
    return any(_has(entry.rights, wanted) for entry in file.acl if entry.tag == _OTHER)


def _has(rights: int, wanted: int) -> bool:
    return rights & wanted == wanted
