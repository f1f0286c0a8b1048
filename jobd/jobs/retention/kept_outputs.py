"""Keeps outputs after their job's end: one tar file per output, in the state folder, until the job's record is removed.

Owns the files, their limit in bytes over all jobs, and the space that stays free on their disk. A file with its final name is whole
and durable. Does not know which outputs a job has, nor when a job's record is removed.
"""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from jobd.durable import sync_folder

BLOCK_BYTES = 1 << 20
FREE_SHARE = 20
"""One part in `FREE_SHARE` of the disk stays free."""
_NAME = re.compile(r"(?P<uid>[0-9a-zA-Z]+)\.(?P<number>[0-9]+)\.tar(\.part)?\Z")


class NoRoom(Exception):
    """The output is not kept: the limit or the disk has no room for it. The text says which."""


class KeptOutputs:
    """The files of one `folder`, with at most `max_bytes` together. Belongs to one event loop."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._used = 0
        self._measured = False
        self._measuring = asyncio.Lock()

    @property
    def keeps_any(self) -> bool:
        """False if the operator has turned kept outputs off."""
        return self._max_bytes > 0

    async def keep(self, uid: str, number: int, tar: AsyncIterator[bytes]) -> int:
        """Writes the tar as output `number` (from 0) of the job, and returns its size in bytes. An earlier file of this number is replaced.

        Once this returns, the file survives kill -9 and a power failure.

        Raises:
            NoRoom: no part of the tar is kept. Whatever `tar` raises.
        """
        async with self._measuring:
            if not self._measured:
                self._used += await asyncio.to_thread(self._measure)
                self._measured = True
        self._used -= await asyncio.to_thread(_removed, [self._path(uid, number)])
        part = self._path(uid, number).with_suffix(".tar.part")
        size, whole = 0, False
        try:
            try:
                with await asyncio.to_thread(_opened, part) as file:
                    async for block in _blocks(tar):
                        self._check_room(len(block))
                        self._used += len(block)
                        size += len(block)
                        await asyncio.to_thread(file.write, block)
                await asyncio.to_thread(self._finished, part, uid, number)
                whole = True
            except OSError as error:
                raise NoRoom(
                    f"the folder of kept outputs cannot be written: {error.strerror or error}"
                ) from error
        finally:
            if not whole:
                self._used -= size
                part.unlink(missing_ok=True)
        return size

    def _finished(self, part: Path, uid: str, number: int) -> None:
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.rename(self._path(uid, number))
        sync_folder(self._folder)

    def _check_room(self, more: int) -> None:
        if self._used + more > self._max_bytes:
            raise NoRoom(
                f"all kept outputs together may have {self._max_bytes} bytes (KEPT_OUTPUTS_MAX_BYTES)"
            )
        disk = shutil.disk_usage(self._folder)
        if disk.free - more < disk.total // FREE_SHARE:
            raise NoRoom("the disk of jobd's state folder has no room for the output: a twentieth stays free")

    async def read(self, uid: str, number: int) -> AsyncIterator[bytes] | None:
        """Returns the tar of a kept output in blocks; None if there is no such output."""
        path = self._path(uid, number)
        if not await asyncio.to_thread(path.is_file):
            return None
        return _read(path)

    async def remove(self, uid: str) -> None:
        """Removes the kept outputs of a job. Safe to repeat."""
        async with self._measuring:
            freed = await asyncio.to_thread(lambda: _removed(list(self._folder.glob(f"{uid}.*"))))
            self._used -= freed if self._measured else 0

    async def uids(self) -> set[str]:
        """Returns the uids of all jobs with a file here."""
        return await asyncio.to_thread(self._uids)

    def _uids(self) -> set[str]:
        return {found["uid"] for path in self._folder.iterdir() if (found := _NAME.match(path.name))}

    def sizes(self) -> list[int]:
        """Returns the sizes of all files, in bytes."""
        sizes = []
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # removed after the folder was listed
                sizes.append(path.stat().st_size)
        return sizes

    def _measure(self) -> int:
        for part in self._folder.glob("*.part"):  # from an earlier process: this process has none yet
            part.unlink(missing_ok=True)
        return sum(self.sizes())

    def _path(self, uid: str, number: int) -> Path:
        return self._folder / f"{uid}.{number}.tar"


def _removed(paths: list[Path]) -> int:
    """Removes files, and returns the size of the whole ones: an unfinished file is counted by its writer."""
    freed = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            freed += size if path.suffix == ".tar" else 0
    return freed


def _opened(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


async def _blocks(tar: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the same bytes in blocks of about `BLOCK_BYTES`."""
    held, size = [], 0
    async for chunk in tar:
        held.append(chunk)
        size += len(chunk)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


async def _read(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
            yield block
    finally:
        file.close()
