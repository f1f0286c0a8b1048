"""Receives a submission with local files: a multipart body, streamed to the disk within limits and durable before the job is accepted."""

import asyncio
import errno
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from jobd.api.body import refuse_encoded
from jobd.api.part_head import part_name
from jobd.budget import Reservation
from jobd.errors import DiskFull, InvalidRequest, TooLarge
from jobd.wire.validation.limits import MAX_BODY_BYTES

STALL_LIMIT_S = 60.0
CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class SubmissionBody:
    """The part `spec`; the file with the content of the part `files`, if there is one, and its SHA-256."""

    spec: bytes
    files: Path | None = None
    files_digest: bytes | None = None


async def receive_multipart(
    request: web.Request, folder: Path, max_bytes: int, reservation: Reservation
) -> SubmissionBody:
    """Returns the parts of the body. The caller owns the file.

    `reservation` is the request's memory: after the spec was read, it shrinks to the spec and one chunk of the files. Raises
    InvalidRequest, TooLarge, WrongMediaType, DiskFull; then no file remains.
    """
    refuse_encoded(request)
    spec: bytes | None = None
    files: Path | None = None
    digest: bytes | None = None
    try:
        reader = _Parts(request.headers, request.content)
        while True:
            async with asyncio.timeout(STALL_LIMIT_S):
                part = await reader.next()
            if not isinstance(part, BodyPartReader):
                break
            if part.name == "spec" and spec is None:
                spec = await _read_spec(part)
                reservation.resize(len(spec) + CHUNK_BYTES)
            elif part.name == "files" and files is None:
                files = folder / f"incoming-{secrets.token_hex(8)}.tar"
                digest = await _write(part, files, max_bytes)
            else:
                raise InvalidRequest(f"the part {part.name!r} is there twice", field=part.name)
        if spec is None:
            raise InvalidRequest("the part 'spec' is missing", field="spec")
        return SubmissionBody(spec, files, digest)
    except BaseException as error:
        if files is not None:
            files.unlink(missing_ok=True)
        if isinstance(error, TimeoutError):
            raise InvalidRequest("the body stalled for a minute", code="body-too-slow") from None
        if isinstance(error, ValueError | AssertionError | HttpProcessingError):
            raise InvalidRequest("the multipart body is malformed") from None
        raise


class _Parts(MultipartReader):
    """A multipart reader that checks each part's headers first."""

    async def fetch_next_part(self) -> MultipartReader | BodyPartReader:
        """Returns the next part without any header but its name, so that aiohttp interprets no other header."""
        part = await super().fetch_next_part()
        if not isinstance(part, BodyPartReader):
            raise InvalidRequest("nested multipart bodies are not taken")
        kept = CIMultiDict({"Content-Disposition": f'form-data; name="{part_name(part.headers)}"'})
        part.headers = CIMultiDictProxy(kept)
        return part


async def _read_spec(part: BodyPartReader) -> bytes:
    spec = bytearray()
    while chunk := await _chunk(part):
        spec += chunk
        if len(spec) > MAX_BODY_BYTES:
            raise TooLarge("the spec is over the limit of 1 MiB")
    return bytes(spec)


async def _write(part: BodyPartReader, path: Path, max_bytes: int) -> bytes:
    size, digest = 0, hashlib.sha256()
    try:
        with await asyncio.to_thread(_create, path) as file:
            while chunk := await _chunk(part):
                size += len(chunk)
                if size > max_bytes:
                    raise TooLarge(f"the files are over the limit of {max_bytes} bytes (MAX_UPLOAD_BYTES)")
                await asyncio.to_thread(_append, file, digest, chunk)
            await asyncio.to_thread(_sync, file)
            return digest.digest()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("the state folder's disk is full; nothing was accepted") from None
        raise


async def _chunk(part: BodyPartReader) -> bytes:
    async with asyncio.timeout(STALL_LIMIT_S):
        return await part.read_chunk(CHUNK_BYTES)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _append(file: BinaryIO, digest: "hashlib._Hash", chunk: bytes) -> None:
    file.write(chunk)
    digest.update(chunk)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
