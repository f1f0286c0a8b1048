"""archive: packs a file or a directory into a tar.gz.

A file is stored under its own name; the entries of a directory are stored at the archive's root, so that unarchiving into an empty
directory gives the same tree. Links are stored as links. Entries are sorted, without owners, so that equal trees give equal bytes. The
archive never contains itself or `.ready`. A FIFO, socket or device fails the artifact, since an incomplete archive would go unnoticed.
"""

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator

from jobd.wire.artifact import Archive
from sidecar.artifacts.base import Context, Transferred
from sidecar.entry import Entry, kind_of, parts_of, shown
from sidecar.errors import ArtifactError

_LEVEL = 6


def transfer(artifact: Archive, context: Context) -> Transferred:
    """Writes the archive and returns its compressed size."""
    workspace = context.workspace
    source, out = "/".join(parts_of(artifact.source)), parts_of(artifact.out)
    if parts_of(source) == out:
        raise ArtifactError(f"{shown(artifact.source)}: in and out are the same")
    with context.interrupts.time_limit(context.caps.local_s):
        # Checked first, so that a missing source leaves no file behind.
        status = workspace.status(source)
        if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
            raise ArtifactError(
                f"{shown(artifact.source)}: is {kind_of(status.st_mode)}, not a file or directory"
            )
        with workspace.replace(artifact.out) as file:
            itself = os.fstat(file.fileno())
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_LEVEL, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                _fill(tar, artifact, source, status, out, itself, context)
            file.flush()
            size = os.fstat(file.fileno()).st_size
    return Transferred(size_bytes=size)


def _fill(
    tar: tarfile.TarFile,
    artifact: Archive,
    source: str,
    status: os.stat_result,
    out: tuple[str, ...],
    itself: os.stat_result,
    context: Context,
) -> None:
    caps = context.caps
    members = size = 0
    for path, name, entry_status in _tree(source, status, caps.archive_members, context):
        if os.path.samestat(entry_status, itself) or parts_of(path) == out:
            continue
        members += 1
        size += entry_status.st_size if stat.S_ISREG(entry_status.st_mode) else 0
        if members > caps.archive_members:
            raise ArtifactError(f"{shown(artifact.source)}: contains more than {caps.archive_members} files")
        if size > caps.archive_bytes:
            raise ArtifactError(f"{shown(artifact.source)}: contains more than {caps.archive_bytes} bytes")
        _add(tar, path, name, entry_status, context)
        context.meter(size, None)


def _tree(
    source: str, status: os.stat_result, at_most: int, context: Context
) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yields each path in the workspace with its name in the archive and its status, directories before their entries."""
    if not stat.S_ISDIR(status.st_mode):
        yield source, source.rpartition("/")[2], status
        return
    pending: list[tuple[str, list[Entry]]] = [("", _reversed(source, at_most, context))]
    while pending:
        below, entries = pending[-1]
        if not entries:
            pending.pop()
            continue
        entry = entries.pop()
        name = f"{below}{entry.name}"
        path = f"{source}/{name}" if source else name
        yield path, name, entry.status
        if entry.is_directory:
            pending.append((name + "/", _reversed(path, at_most, context)))


def _reversed(path: str, at_most: int, context: Context) -> list[Entry]:
    return context.workspace.entries(path, at_most)[::-1]


def _add(tar: tarfile.TarFile, path: str, name: str, status: os.stat_result, context: Context) -> None:
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode) & 0o777
    info.mtime = max(0, int(status.st_mtime))
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif stat.S_ISLNK(status.st_mode):
        info.type = tarfile.SYMTYPE
        info.linkname = context.workspace.read_link(path)
        tar.addfile(info)
    elif stat.S_ISREG(status.st_mode):
        info.size = status.st_size
        with context.workspace.open(path) as file:
            try:
                tar.addfile(info, file)
            except OSError as error:
                if error.errno is None:  # raised by tarfile: the file ended early
                    raise ArtifactError(f"{shown(path)}: became shorter during the archiving") from error
                raise
    else:
        raise ArtifactError(f"{shown(path)}: is {kind_of(status.st_mode)}, which an archive cannot contain")
