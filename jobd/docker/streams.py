"""What flows out of a job's containers: log lines, the worker's output, hints from the engine's events, files as tar.

Owns these streams, their ends and their breaks. What the bytes mean is in `log_parser.py` and
`inspection.py`, which requests read a log on in `log_requests.py`.
"""

import asyncio
import calendar
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from email.utils import parsedate

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.files.tar_check import DamagedTar, TarCheck
from jobd.docker.http.errors import Refusal, Trouble
from jobd.docker.http.http_session import Body, Silent
from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.logs.log_requests import lines_after
from jobd.docker.mapping import inspection, labels
from jobd.docker.mapping.inspection import EngineEvent, Inspected
from jobd.jobs.orchestrator import (
    ContainerGone,
    EngineUnavailable,
    FilesChanged,
    Hint,
    JobRef,
    LogCursor,
    LogUnreadable,
    NoSuchFile,
    RawLine,
    Role,
    StreamName,
)

_LOG_BUFFER_BYTES = 64 * 1024
_TAR_BUFFER_BYTES = 512 * 1024
_EVENT_BYTES = 1024 * 1024
_REMEMBERED = 8192
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
"""Who does not listen yet when an engine that has just come is stopped again takes a worker's end for its own."""
_ALIVE = ("running", "paused", "restarting")
_NAMES_NOTHING = ("not a directory", "too many levels of symbolic links", "file name too long")
"""For such a path the engine answers 500, in words that hold paths of the host's."""


class Streams:
    """The streaming half of the orchestrator, over one engine, for one instance of jobd."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._left_at: int | None = None
        """When the event stream was last lost, by the engine's clock."""
        self._known: OrderedDict[tuple[JobRef, Role], str] = OrderedDict()
        """Ids of containers that are known to be this attempt's. A look at a container that has just ended waits until the
        engine has taken down its network; a call by its id does not, and an id is never given twice."""

    async def logs(
        self, ref: JobRef, role: Role, cursors: Mapping[StreamName, LogCursor], follow: bool
    ) -> AsyncGenerator[list[RawLine], None]:
        """Yields lines after the cursors, in batches as they arrive; see `jobs.orchestrator.Streams`.

        A container that was made and not started has no log: nothing comes, with `follow` too.
        Raises: EngineUnavailable: the connection broke, or ended while the container runs; ask again from the last cursor.
        LogUnreadable. ContainerGone.
        """
        container_id = await self._id_of(ref, role)
        if container_id is None:
            raise ContainerGone(f"the {role} of job {ref.id} does not exist")
        path = await self._engine.path(f"/containers/{container_id}/logs")
        # A container may be silent for days; without follow the engine has the bytes at hand.
        silence_s = None if follow else self._engine.timeouts.work_s

        def ask(params: Mapping[str, str]) -> AbstractAsyncContextManager[Body]:
            return self._engine.streams.open(
                "GET", path, params=params, silence_s=silence_s, buffer_bytes=_LOG_BUFFER_BYTES
            )

        try:
            async with aclosing(lines_after(ask, cursors, follow)) as batches:
                async for batch in batches:
                    yield batch
        except Refusal as error:
            if error.status in (404, 409):
                self._known.pop((ref, role), None)
                raise ContainerGone(f"the {role} of job {ref.id} was removed") from error
            raise LogUnreadable(error.message) from error
        except (Trouble, Silent) as error:
            raise LogUnreadable(str(error)) from error
        except DamagedLog as error:
            raise LogUnreadable(f"the log of {ref.id} {role} cannot be read: {error}") from error
        if not follow:
            return
        now = await self._ours(ref, role)
        if now is not None and now.id == container_id and now.state.status in _ALIVE:
            raise EngineUnavailable("the log stream ended while the container runs")

    @asynccontextmanager
    async def output(self, ref: JobRef) -> AsyncIterator[AsyncIterator[tuple[StreamName, bytes]]]:
        """Gives what the worker prints from now on; see `jobs.orchestrator.Streams`.

        The engine has attached the connection when it answers. Source: Docker Engine API, ContainerAttach.
        """
        container_id = await self._id_of(ref, "worker")
        if container_id is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        path = await self._engine.path(f"/containers/{container_id}/attach")
        params = {"stream": "1", "stdout": "1", "stderr": "1"}
        try:
            async with self._engine.streams.open(
                "POST", path, params=params, silence_s=None, buffer_bytes=_LOG_BUFFER_BYTES
            ) as body:
                yield _pieces(body)
        except Refusal as error:
            if error.status in (404, 409):
                self._known.pop((ref, "worker"), None)
                raise ContainerGone(f"the worker of job {ref.id} was removed") from error
            raise EngineUnavailable(error.message) from error
        except Trouble as error:
            raise EngineUnavailable(str(error)) from error
        except DamagedLog as error:
            raise EngineUnavailable(f"the output of {ref.id} cannot be read: {error}") from error

    async def hints(self) -> AsyncGenerator[Hint, None]:
        """Yields hints for ever; `Hint(None)` with "connected" after each connect, "disconnected" after each end of one, and each
        try in vain. Never raises EngineUnavailable.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async for hint in self._events():
                    pause_s = _FIRST_PAUSE_S
                    yield hint
            except (EngineUnavailable, Refusal):
                pass  # whoever calls the engine next hears of it; here it is only waited for
            yield Hint(None, action="disconnected")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def open_tar(self, ref: JobRef, path: str) -> AsyncGenerator[bytes, None]:
        """Streams the file or folder at the absolute container path as tar; what ends without an error is whole.

        An engine whose file becomes shorter while it reads it ends its tar there and its answer in order (moby's archiver logs
        the failure and closes), so the tar itself is looked at.
        Raises: NoSuchFile, before the first byte. FilesChanged: the tar is cut. EngineUnavailable.
        """
        found = await self._ours(ref, "worker")
        if found is None:
            raise NoSuchFile(f"the container of job {ref.id} is gone, and its files with it")
        url = await self._engine.path(f"/containers/{found.id}/archive")
        try:
            async with self._engine.streams.open(
                "GET",
                url,
                params={"path": path},
                silence_s=self._engine.timeouts.work_s,
                buffer_bytes=_TAR_BUFFER_BYTES,
                again=True,
            ) as body:
                check = TarCheck()
                async for chunk in body.chunks():
                    check.feed(chunk)
                    yield chunk
                check.end()
        except DamagedTar as error:
            raise FilesChanged(f"the files of job {ref.id} changed while they were read: {error}") from error
        except (Refusal, Trouble) as error:
            if isinstance(error, Trouble) and not _names_nothing(error.message):
                raise
            raise NoSuchFile(f"{path!r} does not exist in job {ref.id}") from error

    async def _ours(self, ref: JobRef, role: Role) -> Inspected | None:
        """Returns the container of exactly this attempt; None where it does not exist."""
        found = await self._engine.inspect_container(labels.container_name(ref.id, role))
        if found is None or labels.ref_of(found.config.labels, self._instance) != ref:
            self._known.pop((ref, role), None)
            return None
        self._remember(ref, role, found.id)
        return found

    async def _id_of(self, ref: JobRef, role: Role) -> str | None:
        """Returns the id of the container of exactly this attempt, without a look where it is known already."""
        known = self._known.get((ref, role))
        if known is not None:
            return known
        found = await self._ours(ref, role)
        return None if found is None else found.id

    def _remember(self, ref: JobRef, role: Role, container_id: str) -> None:
        self._known.pop((ref, role), None)
        if len(container_id) > inspection.LONGEST_ID:
            return
        self._known[(ref, role)] = container_id
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _events(self) -> AsyncIterator[Hint]:
        """One connection's worth of hints: what was missed since the last one, then the one that says "connected", then the rest."""
        await self._engine.version(fresh=True)
        now, began = await self._engine_time(), time.monotonic()
        if self._left_at is not None:
            # An engine ends what has outlived it before it answers again: that must be known before anybody looks.
            async with self._subscribed(since=min(self._left_at, now) - 1, until=now) as missed:
                async for hint in missed:
                    yield hint
        async with self._subscribed(since=now - 1) as news:
            yield Hint(None, action="connected")
            try:
                async for hint in news:
                    yield hint
            finally:
                self._left_at = now + int(time.monotonic() - began)

    @asynccontextmanager
    async def _subscribed(self, since: int, until: int | None = None) -> AsyncIterator[AsyncIterator[Hint]]:
        """Hints of the time from `since`, for ever or to `until`; both in the engine's whole seconds since 1970."""
        filters = {
            "type": ["container"],
            "event": list(inspection.EVENT_ACTIONS),
            "label": [f"{name}={value}" for name, value in labels.instance_labels(self._instance).items()],
        }
        params = {"filters": msgspec.json.encode(filters).decode(), "since": str(since)}
        if until is not None:
            params["until"] = str(until)
        path = await self._engine.path("/events")
        silence_s = None if until is None else self._engine.timeouts.work_s
        async with self._engine.streams.open("GET", path, params=params, silence_s=silence_s) as body:
            yield self._read(body)

    async def _read(self, body: Body) -> AsyncIterator[Hint]:
        rest = b""
        async for chunk in body.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _EVENT_BYTES:
                raise EngineUnavailable("an event of the engine is too long")
            for line in lines:
                if (hint := self._hint(line)) is not None:
                    yield hint

    def _hint(self, line: bytes) -> Hint | None:
        try:
            return inspection.hint(msgspec.json.decode(line, type=EngineEvent), self._instance)
        except msgspec.DecodeError:
            return None  # the timer reconciles what is missed here

    async def _engine_time(self) -> int:
        """Returns the engine's own clock: the answer to a subscription comes a moment before the subscription does, so
        events are asked for from a little earlier, and that must not be told by a clock that differs.
        """
        async with self._engine.streams.open(
            "GET", "/_ping", silence_s=self._engine.timeouts.connect_s
        ) as body:
            date = parsedate(body.date)
        return calendar.timegm(date) if date is not None else int(time.time())


async def _pieces(body: Body) -> AsyncIterator[tuple[StreamName, bytes]]:
    frames = Frames()
    async for chunk in body.chunks():
        for piece in frames.feed(chunk):
            yield piece


def _names_nothing(message: str) -> bool:
    """True for the engine's own errors (500) over a path that leads nowhere: through a file, round in links, too long."""
    return message.endswith(_NAMES_NOTHING) or "too many links in " in message
