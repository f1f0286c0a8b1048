"""Fixtures of the store tests: rows, and a store on a real file."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from jobd.store.store import Store
from jobd.store.tables.rows import Callback, JobRow, NewEvent, Transition
from tests.support.fakes.clock import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)


class Make:
    """Makes rows with the given fields and unique plain values for the others."""

    def __init__(self) -> None:
        self._count = count(1)
        self._versions: dict[str, int] = {}
        self.start = START

    def job(self, uid: str = "u1", **fields: Any) -> JobRow:
        row = JobRow(
            uid=uid,
            id=uid.replace("u", "job-"),
            owner="1000",
            status="accepted",
            labels={},
            created_at=START,
            finished_at=None,
            live=True,
            hidden=False,
            holds_id=True,
            record=b'{"any":"bytes"}',
        )
        return replace(row, **fields)

    def next(self, uid: str = "u1", **fields: Any) -> JobRow:
        """The row with the next version of this uid, for an update."""
        self._versions[uid] = self._versions.get(uid, 0) + 1
        return self.job(uid, version=self._versions[uid], **fields)

    def event(self, **fields: Any) -> NewEvent:
        number = next(self._count)
        event = NewEvent(
            f"e{number}",
            "orchestrator.job.start",
            b'{"n":%d}' % number,
            START + timedelta(seconds=number),
            True,
        )
        return replace(event, **fields)

    def callback(self, port: int = 1) -> Callback:
        return Callback(f"http://127.0.0.1:{port}/hook", "s3cret", f"http://127.0.0.1:{port}")

    def claim(self, uid: str = "u1", events: int = 0, port: int | None = None, **fields: Any) -> Transition:
        return Transition(
            self.job(uid, **fields),
            tuple(self.event() for _ in range(events)),
            callback=None if port is None else self.callback(port),
            claim_id=True,
        )


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobd.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(path, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def later() -> Callable[[float], datetime]:
    return lambda seconds: START + timedelta(seconds=seconds)
