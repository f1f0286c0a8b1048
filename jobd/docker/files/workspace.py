"""The workspace volume of a worker that is created and not started: its owner and its files.

Owns the two archive calls. `tar_stream.py` has the rules for members and users.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from jobd.docker.engine import Engine
from jobd.docker.files import tar_stream as tar
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.jobs.port.errors import EngineError, EngineUnavailable, RefusedByEngine

_TABLE_BYTES = 1024 * 1024
_SEND_BYTES = 1024 * 1024


class Workspace:
    """Reads the user table of a container's image and fills its workspace."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def owner(self, container_id: str, user: str) -> tuple[int, int]:
        """Returns the uid and gid of `user` in this container.

        Raises: RefusedByEngine: the image has no such user. EngineUnavailable.
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

    async def fill(
        self,
        container_id: str,
        workspace: str,
        uid: int,
        gid: int,
        files: Path | None,
        *,
        inside: bool = False,
    ) -> None:
        """Sets the workspace's owner to uid:gid and unpacks the tar `files` there. Memory is bounded.

        `inside`: does not change the folder itself; in a read-only container the engine writes to volumes only.

        Raises: RefusedFiles: a member is not allowed. RefusedByEngine, EngineUnavailable.
        """
        members = _Members(tar.workspace_tar(workspace, uid, gid, files, time.time(), inside=inside))
        try:
            await self._put(container_id, workspace, members, inside)
        except EngineUnavailable:
            if isinstance(members.error, OSError):
                raise tar.RefusedFiles(
                    f"cannot read the archive of files: {members.error}"
                ) from members.error
            if members.error is not None:
                raise members.error from None
            if files is not None:
                # The engine may refuse a large archive by closing the connection: a small archive gets the reason.
                await self._put(
                    container_id,
                    workspace,
                    _Members(tar.workspace_tar(workspace, uid, gid, None, time.time(), inside=inside)),
                    inside,
                )
            raise

    async def _put(self, container_id: str, workspace: str, members: "_Members", inside: bool) -> None:
        try:
            async with self._engine.streams.open(
                "PUT",
                await self._engine.path(f"/containers/{container_id}/archive"),
                # noOverwriteDirNonDir: otherwise a folder that the mount hides would replace a link in the image at this path.
                params={"path": workspace if inside else "/", "noOverwriteDirNonDir": "1"},
                headers={"Content-Type": "application/x-tar"},
                data=members.pieces(),
                silence_s=self._engine.timeouts.work_s,
            ):
                pass
        except (Refusal, ServerError) as error:
            raise port_error("fill", error, workspace=workspace) from error

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


class _Members:
    """Parts of a tar in pieces of about 1 MiB, each joined in a thread, since the disk may be slow.

    `error` keeps the failure of a part, since the HTTP client reports only a broken connection.
    """

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.error: EngineError | OSError | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while piece := await asyncio.to_thread(_piece, self._parts):
                yield piece
        except (EngineError, OSError) as error:
            self.error = error
            raise


def _piece(parts: Iterator[bytes]) -> bytes:
    piece, size = [], 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= _SEND_BYTES:
            break
    return b"".join(piece)
