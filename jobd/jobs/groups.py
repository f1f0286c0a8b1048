"""The use cases of groups and of the whole queue: show, set a limit, pause, resume.

A change is stored before the queue follows it; a start of jobd loads the stored settings before any job enters the queue.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from jobd.clock import Clock
from jobd.errors import Conflict, InvalidRequest, NotFound
from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.admission.scheduling.groups import GroupSettings
from jobd.jobs.storage import GroupRows
from jobd.store.tables.rows import GroupRow
from jobd.wire.validation.names import group_problem
from jobd.wire.views.queue import GroupView, QueueView

MAX_GROUPS = 1000
"""The most groups with settings."""
TEMPORARY_IDLE_S = 3600.0
"""For so long a temporary group must have had no job, in this run of jobd, before its settings are removed."""


class GroupService:
    """Changes are made one after the other, and complete even if their caller is cancelled. `wake` wakes the supervisors of running jobs."""

    def __init__(
        self, store: GroupRows, queue: AdmissionQueue, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._wake = wake
        self._stored: dict[str, GroupSettings] = {}
        self._temporary: dict[str, float | None] = {}
        """The temporary groups: since when they have had no job, in monotonic seconds; None: not known."""
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Sets the stored settings. Raises StoreError."""
        stored = await self._store.load_queue()
        self._stored = {
            group.name: GroupSettings(group.limit, group.paused, group.freezes) for group in stored.groups
        }
        self._temporary = {group.name: None for group in stored.groups if group.temporary}
        for name, settings in self._stored.items():
            self._queue.set_group(name, settings)
        self._queue.set_paused(stored.paused, stored.freezes)

    def show_queue(self) -> QueueView:
        """Returns the queue with all groups that have settings or jobs."""
        queue = self._queue
        return QueueView(
            paused=queue.paused,
            running_paused=queue.freezes_all,
            limit=queue.limit,
            running=queue.running,
            waiting=queue.waiting,
            groups=[self._view(name) for name in queue.group_names()],
        )

    def show(self, name: str) -> GroupView:
        """Returns a group. Raises InvalidRequest: the name is no name of a group. NotFound: the group has neither settings nor jobs."""
        self._check_exists(name)
        return self._view(name)

    async def put(
        self, name: str, limit: int | None, paused: bool | None, temporary: bool | None = None
    ) -> GroupView:
        """Sets the limit of a group, with `paused` its pause, and with `temporary` whether jobd removes the settings after the last job.

        Raises:
            InvalidRequest. Conflict: too many groups have settings.
        """
        _check(name)

        async def change() -> None:
            before = self._stored.get(name, GroupSettings())
            is_paused = before.paused if paused is None else paused
            settings = GroupSettings(limit, is_paused, before.freezes and is_paused)
            await self._set(name, settings, temporary)

        await self._in_turn(change)
        return self._view(name)

    async def pause(self, name: str, paused: bool, running: bool | None = None) -> GroupView:
        """Pauses or resumes a group. `running`: whether a pause also freezes running workers; None: as before. Raises as `put` and `show`."""

        async def change() -> None:
            self._check_exists(name)
            before = self._stored.get(name, GroupSettings())
            freezes = paused and (before.freezes if running is None else running)
            await self._set(name, before._replace(paused=paused, freezes=freezes))

        await self._in_turn(change)
        return self._view(name)

    async def remove(self, name: str) -> None:
        """Removes the settings of a group, which has no limit from then on.

        Raises:
            NotFound: the group has no settings. Conflict: jobs of the group wait, and the removal would start them.
        """
        _check(name)

        async def change() -> None:
            if name not in self._stored:
                raise NotFound(f"group {name!r} has no settings")
            if waiting := self._queue.group_numbers(name).waiting:
                text = f"{waiting} job{'s' * (waiting != 1)} of group {name!r} {'wait' if waiting > 1 else 'waits'}"
                raise Conflict(f"{text}; cancel them, or set the group's limit instead", code="group-in-use")
            await self._remove(name)

        await self._in_turn(change)

    async def remove_idle(self) -> None:
        """Removes the settings of temporary groups that have had no job for `TEMPORARY_IDLE_S`. Raises StoreError."""

        async def change() -> None:
            now = self._clock.monotonic()
            for name, idle_since in list(self._temporary.items()):
                numbers = self._queue.group_numbers(name)
                if numbers.waiting or numbers.running:
                    self._temporary[name] = None
                elif idle_since is None:
                    self._temporary[name] = now
                elif now - idle_since >= TEMPORARY_IDLE_S:
                    await self._remove(name)

        await self._in_turn(change)

    async def pause_all(self, paused: bool, running: bool | None = None) -> QueueView:
        """Pauses or resumes all groups; `running` as in `pause`."""

        async def change() -> None:
            freezes = paused and (self._queue.freezes_all if running is None else running)
            await self._store.set_queue_paused(paused, freezes)
            self._queue.set_paused(paused, freezes)
            self._wake()

        await self._in_turn(change)
        return self.show_queue()

    def _check_exists(self, name: str) -> None:
        _check(name)
        if name not in self._queue.group_names():
            raise NotFound(f"group {name!r} has neither settings nor jobs")

    async def _set(self, name: str, settings: GroupSettings, temporary: bool | None = None) -> None:
        if name not in self._stored and len(self._stored) >= MAX_GROUPS:
            raise Conflict(f"{MAX_GROUPS} groups have settings; remove one first", code="too-many-groups")
        lasting = not (name in self._temporary if temporary is None else temporary)
        await self._store.put_group(
            GroupRow(name, settings.limit, settings.paused, settings.freezes, not lasting)
        )
        self._stored[name] = settings
        self._temporary.pop(name, None)
        if not lasting:
            self._temporary[name] = None
        self._queue.set_group(name, settings)
        self._wake()

    async def _remove(self, name: str) -> None:
        await self._store.remove_group(name)
        del self._stored[name]
        self._temporary.pop(name, None)
        self._queue.set_group(name, None)
        self._wake()

    async def _in_turn(self, change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            async with self._changing:
                await change()

        await asyncio.shield(asyncio.create_task(run(), name="change a group"))

    def _view(self, name: str) -> GroupView:
        settings, numbers = self._queue.group_settings(name), self._queue.group_numbers(name)
        return GroupView(
            name=name,
            limit=settings.limit,
            paused=settings.paused,
            running_paused=settings.freezes,
            running=numbers.running,
            waiting=numbers.waiting,
            temporary=name in self._temporary,
        )


def _check(name: str) -> None:
    if why := group_problem(name):
        raise InvalidRequest(f"the group's name {why}", field="name")
