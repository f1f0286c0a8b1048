"""Writes a root file system as a tar: folders, links, files, and the users of an image."""

import io
import tarfile
from pathlib import Path

USERS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
"""
GROUPS = """\
root:x:0:
nogroup:x:65534:
app:x:1000:
"""


class Root:
    """A root file system in a tar. Existing entries are not replaced."""

    def __init__(self, path: Path) -> None:
        self.names: set[str] = set()
        if path.exists():
            with tarfile.open(path) as tar:
                self.names = {member.name.removeprefix("./") for member in tar.getmembers()}
        self.tar = tarfile.open(path, "a")  # noqa: SIM115 (closed by `close`)

    def folder(self, name: str, mode: int = 0o755, owner: int = 0) -> None:
        self._add(name, tarfile.DIRTYPE, mode, owner)

    def link(self, name: str, target: str) -> None:
        self._add(name, tarfile.SYMTYPE, 0o777, target=target)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._add(name, tarfile.REGTYPE, mode, content=content)

    def people(self) -> None:
        """Adds root, nobody, an ordinary user `app` with a home folder, and /tmp."""
        self.file("etc/passwd", USERS.encode())
        self.file("etc/group", GROUPS.encode())
        self.folder("root", 0o700)
        self.folder("home/app", owner=1000)
        self.folder("tmp", 0o1777)
        self.folder("var/tmp", 0o1777)

    def _add(
        self, name: str, kind: bytes, mode: int, owner: int = 0, content: bytes = b"", target: str = ""
    ) -> None:
        if name in self.names:
            return
        self.names.add(name)
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
        member.size, member.linkname = len(content), target
        self.tar.addfile(member, io.BytesIO(content))

    def close(self) -> None:
        self.tar.close()
