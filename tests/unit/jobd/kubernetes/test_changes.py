"""Who waits for a change of a Pod is woken by the watch, misses no change, and asks the API server no more often than Pods change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.clock import SystemClock
from jobd.jobs.port.hints import Changed, Connected, Disconnected, Hint
from jobd.jobs.port.model import LOG_START, JobRef
from jobd.kubernetes.logs.reading import LogReading
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.orchestrator import KubernetesOrchestrator
from jobd.kubernetes.pods.api import PodApi
from jobd.kubernetes.pods.start import Start
from jobd.kubernetes.watch import changes as changes_module
from jobd.kubernetes.watch.changes import Changes
from jobd.kubernetes.watch.state import WatchState
from jobd.kubernetes.watch.stream import Watch
from tests.unit.jobd.kubernetes.pods import INSTANCE, REF, SETTINGS, pod, waiting

LONG_S = 3600.0
KUBECONFIG = """
current-context: c
contexts: [{name: c, context: {cluster: c, user: u, namespace: jobs}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


def _event(kind: str, changed: Pod) -> bytes:
    return msgspec.json.encode({"type": kind, "object": changed})


@pytest.fixture
def without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a change ends a wait."""
    monkeypatch.setattr(changes_module, "FIRST_WAIT_S", LONG_S)


async def test_a_change_between_the_look_and_the_wait_ends_the_wait(without_limit: None) -> None:
    changes = Changes()
    with changes.awaited("a") as one, changes.awaited("a") as other:
        changes.tell("a")
        async with asyncio.timeout(30):
            await one.wait()
            await other.wait()


async def test_a_change_ends_one_wait_and_those_of_other_jobs_none(without_limit: None) -> None:
    changes = Changes()
    with changes.awaited("a") as change:
        changes.tell("b")
        changes.tell("a")
        await change.wait()
        again = asyncio.create_task(change.wait())
        await asyncio.sleep(0.05)
        changes.tell("b")
        await asyncio.sleep(0.05)
        assert not again.done()
        changes.tell("a")
        async with asyncio.timeout(30):
            await again


async def test_a_wait_without_a_watch_ends_at_its_limit_and_then_takes_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changes_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(changes_module, "LONGEST_WAIT_S", 0.002)
    limits = []
    with Changes().awaited("a") as change:
        for _ in range(4):
            limits.append(change.limit_s)
            await change.wait()
    assert limits == [0.001, 0.0015, 0.002, 0.002]


async def test_nothing_is_kept_of_those_who_no_longer_wait() -> None:
    changes = Changes()
    with changes.awaited("a"), changes.awaited("a"), changes.awaited("b"):
        assert len(changes) == 2
    assert len(changes) == 0
    changes.tell("a")
    assert len(changes) == 0


async def test_the_watch_tells_of_each_change_and_of_what_a_list_shows() -> None:
    told: list[str] = []

    class Told(Changes):
        def tell(self, uid: str) -> None:
            told.append(uid)

    class Listed(PodApi):
        async def listed(self, selector: str) -> tuple[list[Pod], str]:
            return [pod(version="9")], "9"

    client: Any = None
    watch = Watch(Listed(client, INSTANCE), WatchState(INSTANCE), Told(), SystemClock())
    await watch._list()
    assert told == [REF.uid], "what a break has hidden wakes those who wait, too"
    told.clear()
    watch._take(_event("ADDED", pod()))
    watch._take(_event("DELETED", pod(version="2")))
    assert told == [REF.uid] * 3
    watch._take(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"3"}}}')
    assert told == [REF.uid] * 3


async def test_a_log_that_waits_for_its_container_asks_only_after_changes(without_limit: None) -> None:
    """A thousand waiting jobs that ask every second leave the API server no time for anything else."""
    looks = []
    pending = pod(worker=waiting("ContainerCreating"), phase="Pending")

    class Asked(PodApi):
        async def of_attempt(self, ref: JobRef) -> Pod | None:
            looks.append(ref)
            return pending if len(looks) < 3 else pod(worker=waiting("gone"), phase="Failed")

    client: Any = None
    api, changes = Asked(client, INSTANCE), Changes()
    reading = LogReading(api, Start(api), changes)

    async def follow() -> list[Any]:
        return [batch async for batch in reading.logs(REF, "worker", LOG_START, True)]

    following = asyncio.create_task(follow())
    for count in (1, 2):
        await asyncio.sleep(0.05)
        assert len(looks) == count
        changes.tell(REF.uid)
    async with asyncio.timeout(30):
        assert await following == []
    assert len(looks) == 3


async def test_the_engine_tells_the_waits_of_preparation_and_logs(tmp_path: Path) -> None:
    """One object: with two of them each wait would end at its limit alone."""
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    engine = KubernetesOrchestrator(SETTINGS, environ={"KUBECONFIG": str(config)})
    try:
        assert engine._watch._changes is engine._logs._changes
        assert engine._watch._changes is engine._preparation._changes
    finally:
        await engine.close()


async def test_a_watch_that_is_continued_asks_for_no_look_at_all_jobs() -> None:
    class Ending(Watch):
        async def _watch(self) -> AsyncIterator[Hint]:
            yield Connected()
            yield Changed(REF.uid, "worker")

    class Listed(PodApi):
        async def listed(self, selector: str) -> tuple[list[Pod], str]:
            return [], "9"

    client: Any = None
    hints = Ending(Listed(client, INSTANCE), WatchState(INSTANCE), Changes(), SystemClock()).hints()
    told = [await anext(hints) for _ in range(4)]
    await hints.aclose()
    assert [type(one) for one in told] == [Connected, Changed, Changed, Changed]


async def test_an_event_that_cannot_be_read_leads_to_a_list() -> None:
    class Unreadable(Watch):
        async def _watch(self) -> AsyncIterator[Hint]:
            yield Connected()
            for hint in self._take(b"{"):
                yield hint

    lists = []

    class Listed(PodApi):
        async def listed(self, selector: str) -> tuple[list[Pod], str]:
            lists.append(selector)
            return [], "9"

    client: Any = None
    hints = Unreadable(Listed(client, INSTANCE), WatchState(INSTANCE), Changes(), SystemClock()).hints()
    told = [await anext(hints) for _ in range(3)]
    await hints.aclose()
    assert [type(one) for one in told] == [Connected, Disconnected, Connected]
    assert len(lists) == 2
