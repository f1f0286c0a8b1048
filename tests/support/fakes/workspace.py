"""The files of a fake job's workspace: bytes by absolute path, read from a tar and written as a tar, and their owner.

Pure but for reading the tar. Must not know of containers.
"""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

Files = dict[str, bytes]


def unpacked(tar: Path | None, workspace: str) -> Files:
    """Returns the regular files of a tar, by their paths in the workspace; none without a tar."""
    if tar is None:
        return {}
    found: Files = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[f"{workspace}/{member.name.removeprefix('./')}"] = content.read()
    return found


def below(files: Mapping[str, bytes], path: str) -> Files:
    """Returns the file at `path`, or the files below, by their names in a tar."""
    path = path.rstrip("/")
    name = path.rpartition("/")[2]
    if path in files:
        return {name: files[path]}
    return {
        f"{name}/{at.removeprefix(path + '/')}": content
        for at, content in files.items()
        if at.startswith(path + "/")
    }


def packed(files: Mapping[str, bytes], owner: tuple[int, int] = (0, 0)) -> bytes:
    """Returns a tar of files by name, owned by this uid and gid."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.uid, member.gid = owner
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def owner_of(user: str | None) -> tuple[int, int]:
    """Returns uid and gid of numeric users; names mean root, as the fake has no passwd."""
    uid, _, gid = (user or "0").partition(":")
    return int(uid) if uid.isdigit() else 0, int(gid) if gid.isdigit() else 0
