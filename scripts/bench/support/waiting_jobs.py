"""A long queue: jobs that wait, in groups with limits and with dependencies, written into the store of a jobd that does not run yet.

The same records fill a scheduler in memory. The queue is paused, so that jobd starts none of the jobs.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from jobd.jobs.job_repository import row_of
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.record import Record
from jobd.jobs.record.scheduling import Awaited
from jobd.jobs.state.handover import Source
from jobd.process.state_folder import open_state
from jobd.store.sqlite.lock import StateLock
from jobd.store.store import Store
from jobd.store.tables.rows import GroupRow, Transition
from jobd.wire.job import JobSpec
from jobd.wire.validation.job_spec import convert_spec

AT_ONCE = 256
"""Commits that wait at once: the writer groups them."""
GROUP_LIMIT = 4
DEMANDS: tuple[dict[str, Any], ...] = (
    {"memory": 128}, {"memory": 512}, {"memory": 2048}, {"memory": 8192, "cpu": 4}, {"cpu": 2}, {"memory": 1024, "cpu": 1.5},
)  # fmt: skip
PRIORITIES = (0, 0, 0, 10, -10)

_encoder = msgspec.json.Encoder(order="sorted")


class Waiting(NamedTuple):
    """A job that waits, as a client has submitted the job."""

    record: Record
    spec: JobSpec


def group_name(number: int) -> str:
    """Returns the name of a group; half of the groups have a limit."""
    return f"group-{number:02}"


def waiting_jobs(count: int, groups: int, dependent: int) -> Iterator[Waiting]:
    """Yields jobs that wait, the first submitted first: of all groups, of several demands and priorities. `dependent` of them wait for
    the completion of the job before.
    """
    began = datetime.now(UTC) - timedelta(seconds=count)
    every = count // dependent if dependent else 0
    before: Record | None = None
    for index in range(count):
        tree: dict[str, Any] = {
            "id": f"waits-{index:05}",
            "image": "busybox:latest",
            "command": ["true"],
            "group": group_name(index % groups),
            "priority": PRIORITIES[index % len(PRIORITIES)],
            **DEMANDS[index // groups % len(DEMANDS)],
        }
        after: list[Awaited] = []
        if before is not None and every and index % every == every - 1:
            after = [Awaited(uid=before.uid, id=before.id)]
            tree["after"] = [{"job": before.id}]
        spec = convert_spec(tree)
        before = new_record(
            spec,
            now=began + timedelta(seconds=index),
            owner=None,
            digest=64 * "c",
            has_spool=False,
            after=after,
            sources=[Source(uid=one.uid, id=one.id, files=False) for one in after],
        )
        yield Waiting(before, spec)


def keep_waiting(state: Path, count: int, groups: int, dependent: int) -> None:
    """Writes such jobs, the limits of the groups, and the pause of the queue."""
    folder = open_state(state)
    transitions = [
        Transition(job=row_of(record, spec, _encoder.encode(spec)), claim_id=True)
        for record, spec in waiting_jobs(count, groups, dependent)
    ]

    async def write() -> None:
        store = await Store.open(folder.database)
        try:
            for number in range(0, groups, 2):
                await store.put_group(GroupRow(group_name(number), GROUP_LIMIT, False))
            await store.set_queue_paused(True, False)
            for first in range(0, len(transitions), AT_ONCE):
                await asyncio.gather(*map(store.commit, transitions[first : first + AT_ONCE]))
        finally:
            await store.close()

    with StateLock(folder.path):
        asyncio.run(write())
