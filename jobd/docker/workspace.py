"""The workspace volume of one worker that has been made and not started: whose it is, and what is put into it.

Owns the two archive calls. The rules for members and users are in `files.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from jobd.docker import files as tar
from jobd.docker.answers import Refusal
from jobd.docker.engine import Engine
from jobd.jobs.orchestrator import RefusedByEngine

_TABLE_BYTES = 1024 * 1024
_SEND_BYTES = 1024 * 1024


class Workspace:
    """Reads the user table of a container's image and fills its workspace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def owner(self, container_id: str, user: str) -> tuple[int, int]:
        """Returns the uid and gid as which `user` will run in this container.

        Raises: RefusedByEngine: the image knows no such user. EngineUnavailable.
        """
        passwd = group = b""
        if tar.needs_passwd(user):
            passwd = await self._table(container_id, "/etc/passwd")
            group = await self._table(container_id, "/etc/group") if ":" in user else b""
        found = tar.resolved_user(user, passwd, group)
        if found is None:
            error = RefusedByEngine(f"the image has no user {user!r} in its /etc/passwd or /etc/group")
            error.remedy = "give user as numbers, for example 1000:1000"
            raise error
        return found

    async def fill(self, container_id: str, workspace: str, uid: int, gid: int, files: Path | None) -> None:
        """Hands the workspace to uid:gid and puts the tar `files` into it. Memory is bounded.

        Raises: RefusedFiles: a member that may not be in it. RefusedByEngine, EngineUnavailable.
        """
        # Without the second, a link in the image at this path would be replaced by a folder that the mount then hides.
        params = {"path": "/", "noOverwriteDirNonDir": "1"}
        path = await self._engine.path(f"/containers/{container_id}/archive")
        try:
            async with self._engine.streams.open(
                "PUT",
                path,
                params=params,
                headers={"Content-Type": "application/x-tar"},
                data=_sent(tar.workspace_tar(workspace, uid, gid, files, time.time())),
                silence_s=self._engine.timeouts.work_s,
            ):
                pass
        except Refusal as error:
            error.remedy = "is the workspace a link or a file in the image? choose another path for it"
            raise

    async def _table(self, container_id: str, path: str) -> bytes:
        try:
            async with self._engine.streams.open(
                "GET",
                await self._engine.path(f"/containers/{container_id}/archive"),
                params={"path": path},
                silence_s=self._engine.timeouts.answer_s,
            ) as body:
                return tar.only_file(await body.read(_TABLE_BYTES))
        except Refusal as error:
            if error.status == 404:
                return b""
            raise


async def _sent(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the parts in pieces of about 1 MiB, each put together in a thread, since the disk may be slow."""
    while piece := await asyncio.to_thread(_piece, parts):
        yield piece


def _piece(parts: Iterator[bytes]) -> bytes:
    piece, size = [], 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= _SEND_BYTES:
            break
    return b"".join(piece)
