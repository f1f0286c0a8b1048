"""unarchive: extracts a tar.gz, tar or zip into a directory, member by member, through the workspace.

The first bytes select the format. An archive of a few megabytes is checked before the first file is written, so that a damaged or
hostile one leaves nothing behind; a larger one is read once. Existing files are replaced, directories are kept. Owners and set-uid bits
are ignored. `member.py` has the rules for names and links. Limits stop an archive bomb during the extraction. The error of a failure has
the number of extracted files.
"""

import gzip
import os
import zlib
from collections.abc import Callable
from typing import IO

from jobd.wire.artifact import Unarchive
from jobd.wire.files.paths import Parts
from sidecar.archive_readers.member import (
    BadArchive,
    Content,
    Contents,
    Member,
    Members,
    check_symlink,
    name_parts,
)
from sidecar.archive_readers.tar import BLOCK, Read, read_tar
from sidecar.artifacts.base import Caps, Context, Meter, Transferred
from sidecar.entry import parts_of, shown
from sidecar.errors import ArtifactError
from sidecar.workspace.paths import Workspace
from sidecar.workspace.writing import write

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OTHERS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
}


class _Budget:
    """The remaining members and bytes of one pass, including padding and skipped members."""

    def __init__(self, archive_bytes: int, caps: Caps) -> None:
        self._members = self.most_members = caps.unarchive_members
        self._most_bytes = min(
            caps.unarchive_bytes, max(caps.unarchive_free_bytes, caps.unarchive_ratio * archive_bytes)
        )
        self._bytes = self._most_bytes

    def member(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise BadArchive(f"the archive has more than {self.most_members} members")

    def use(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise BadArchive(
                f"the archive unpacks to more than {self._most_bytes} bytes, the most allowed for its size"
            )


def transfer(artifact: Unarchive, context: Context) -> Transferred:
    """Extracts the archive, or its folder `subdir`."""
    with context.interrupts.time_limit(context.caps.local_s), context.workspace.open(artifact.source) as file:
        size = os.fstat(file.fileno()).st_size

        def members() -> tuple[Members, _Budget]:
            budget = _Budget(size, context.caps)
            file.seek(0)
            return _members(file, budget), budget

        subdir = parts_of(artifact.subdir) if artifact.subdir is not None else ()
        folder: Parts = ()
        if subdir or size <= context.caps.unarchive_check_first_bytes:
            folder = _checked_folder(subdir, members, shown(artifact.source))
        extraction = _Extraction(context.workspace, artifact.out, folder, context.meter)
        try:
            extraction.run(*members())
        except ArtifactError as error:
            raise ArtifactError(f"{shown(artifact.source)}: {error}{extraction.progress()}") from error
    return Transferred(size_bytes=extraction.size_bytes)


def _checked_folder(subdir: Parts, members: Callable[[], tuple[Members, _Budget]], source: str) -> Parts:
    """Checks all members. Returns the archive's folder to extract: the root without `subdir`."""
    contents = Contents(subdir)
    checked, budget = members()
    try:
        for member, _ in checked:
            budget.member()
            contents.add(name_parts(member.name), member.kind)
        return contents.folder() if subdir else ()
    except ArtifactError as error:
        raise ArtifactError(f"{source}: {error}") from error


def _members(file: IO[bytes], budget: _Budget) -> Members:
    head = file.read(BLOCK)
    file.seek(0)
    if head[:4] in _ZIP:
        from sidecar.archive_readers.zip import read_zip

        for member, content in read_zip(file, budget.most_members):
            yield member, _counted(content, budget)
        return
    if other := next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None):
        raise BadArchive(f"is a {other} archive; the supported formats are tar.gz, tar and zip")
    if head.startswith(_GZIP):
        yield from read_tar(_unpacked(file, budget))
    elif len(head) == BLOCK:
        yield from read_tar(_plain(file, budget))
    else:
        raise BadArchive("is not a tar.gz, tar or zip archive")


def _counted(content: Content, budget: _Budget) -> Content:
    for chunk in content:
        budget.use(len(chunk))
        yield chunk


def _plain(file: IO[bytes], budget: _Budget) -> Read:
    def read(size: int) -> bytes:
        data = file.read(size)
        budget.use(len(data))
        return data

    return read


def _unpacked(file: IO[bytes], budget: _Budget) -> Read:
    packed = gzip.GzipFile(fileobj=file, mode="rb")

    def read(size: int) -> bytes:
        try:
            data = packed.read(size)
        except EOFError:
            raise BadArchive("the archive is cut: its compressed data ends early") from None
        except (gzip.BadGzipFile, zlib.error):
            raise BadArchive("the archive is damaged: its compressed data does not unpack") from None
        budget.use(len(data))
        return data

    return read


class _Extraction:
    """One pass that extracts the members. Links are created last, so that no file is written through one."""

    def __init__(self, workspace: Workspace, out: str, folder: Parts, meter: Meter) -> None:
        self._workspace, self._out, self._folder, self._meter = workspace, out, folder, meter
        self._files: set[Parts] = set()
        self._links: dict[Parts, str] = {}
        self._modes: dict[Parts, int] = {}
        self.size_bytes = 0

    def progress(self) -> str:
        """Returns the number of extracted files, for the text of a failure."""
        return f"; files extracted before: {len(self._files)}" if self._files else ""

    def run(self, members: Members, budget: _Budget) -> None:
        """Extracts everything below the folder."""
        self._workspace.make_directory(self._out)
        for member, content in members:
            budget.member()
            parts = name_parts(member.name)
            if parts[: len(self._folder)] == self._folder:
                self._place(parts[len(self._folder) :], member, content)
        for place, target in self._links.items():
            self._workspace.symlink(self._path(place), target)
        for place, mode in self._modes.items():
            self._workspace.set_mode(self._path(place), mode | 0o700)

    def _place(self, place: Parts, member: Member, content: Content) -> None:
        if not place:
            if member.kind != "directory":
                raise BadArchive(f"the archive's member '{shown(member.name, 200)}' is not a folder")
            return
        self._links.pop(place, None)
        if member.kind == "directory":
            self._workspace.make_directory(self._path(place))
            self._modes[place] = member.mode
        elif member.kind == "symlink":
            check_symlink(place, member.link)
            self._links[place] = member.link
        elif member.kind == "hardlink":
            source = name_parts(member.link)
            known = source[: len(self._folder)] == self._folder and source[len(self._folder) :] in self._files
            if not known:
                raise BadArchive(
                    f"the archive's hard link '{shown(member.name, 200)}' names no file that was extracted before"
                )
            self._workspace.hardlink(self._path(place), self._path(source[len(self._folder) :]))
            self._files.add(place)
        else:
            self._write(place, member, content)
            self._files.add(place)

    def _write(self, place: Parts, member: Member, content: Content) -> None:
        with self._workspace.replace(self._path(place), member.mode) as file:
            for chunk in content:
                write(file, chunk)
                self.size_bytes += len(chunk)
                self._meter(self.size_bytes, None)
            if member.mtime_s is not None:
                file.flush()
                os.utime(file.fileno(), (member.mtime_s, member.mtime_s))

    def _path(self, place: Parts) -> str:
        return "/".join((self._out, *place))
