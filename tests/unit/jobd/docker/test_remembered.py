"""jobd's caches of the engine's answers are bounded, in number and in the length of each entry, for any answer."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from jobd.docker.containers import (
    container_ids,
    fresh_workers,
    unconfirmed_volumes,
    unstarted,
    workspace_owners,
)
from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.containers.exits import exits
from jobd.docker.containers.exits.exits import ContainerExits
from jobd.docker.containers.exits.own_signals import OwnSignals
from jobd.docker.containers.exits.uptime import Uptime
from jobd.docker.containers.unconfirmed_volumes import UnconfirmedVolumes
from jobd.docker.containers.unstarted import UnstartedRemoval
from jobd.docker.containers.workspace_owners import WorkspaceOwners
from jobd.docker.engine import Engine
from jobd.docker.http.endpoint import parse
from jobd.docker.http.errors import Refusal
from jobd.docker.http.http_session import Body, Timeouts
from jobd.docker.images.pulls import MOST_LAYERS, PullProgress
from jobd.docker.mapping import labels
from jobd.docker.mapping.inspection import LONGEST_ID, EngineEvent, Inspected, facts_of_event
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import MAX_UID, Created, JobRef, WorkOrder
from jobd.wire.job import JobSpec
from tests.support.progress import Progress

LONG = "x" * (LONGEST_ID + 1)
BOUND = 100


class Steps:
    """A clock that advances by a minute at each call."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


@pytest.fixture
def said() -> list[Any]:
    return []


@pytest.fixture
def progress(said: list[Any]) -> PullProgress:
    return PullProgress(said.append, Steps())


def test_the_layers_of_a_pull_are_bounded_in_number(progress: PullProgress, said: list[Any]) -> None:
    for number in range(4 * MOST_LAYERS):
        progress.note("Downloading", f"{number:012x}", 1_000_000, 2_000_000)
    assert (len(progress._layers), len(progress._complete)) == (MOST_LAYERS, MOST_LAYERS)
    assert said[-1].total_bytes == MOST_LAYERS * 2_000_000


@pytest.mark.parametrize(
    ("layer", "current", "total"),
    [("x" * 100_000, 1, 2), ("a", 1, 10**1000), ("a", 10**1000, 2), ("a", -1, 2), ("a", 1, -2)],
    ids=["long id", "long total", "long current", "negative", "negative total"],
)
def test_an_invalid_layer_is_not_counted(
    progress: PullProgress, said: list[Any], layer: str, current: int, total: int
) -> None:
    progress.note("Downloading", "b", 1_000_000, 2_000_000)
    progress.note("Downloading", layer, current, total)
    progress.note("Pull complete", layer, None, None)
    assert list(progress._layers) == ["b"]
    assert (said[-1].done_bytes, said[-1].total_bytes) == (1_000_000, 2_000_000)


@pytest.mark.parametrize(("name", "most"), [("job.uid", MAX_UID), ("job.id", 128)])
def test_labels_that_are_too_long_name_no_job(name: str, most: int) -> None:
    made = labels.job_labels(JobRef("u", "a", 1), "one")
    assert labels.ref_of({**made, name: "x" * most}, "one") is not None
    assert labels.ref_of({**made, name: "x" * (most + 1)}, "one") is None


def test_cached_container_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_ids, "_REMEMBERED", BOUND)
    known: Any = ContainerIds(None, "one")  # type: ignore[arg-type]
    for number in range(3 * BOUND):
        known.remember(JobRef(f"u{number}", "a"), "worker", "c" * 64)
    assert len(known._known) == BOUND
    assert (JobRef(f"u{3 * BOUND - 1}", "a"), "worker") in known._known, "the oldest are forgotten first"
    known.remember(JobRef("u", "a"), "sidecar", LONG)
    assert LONG not in known._known.values()


async def test_cached_owners_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_owners, "_REMEMBERED", BOUND)
    owners: Any = WorkspaceOwners(None, None)  # type: ignore[arg-type]
    for number in range(3 * BOUND):
        await owners.resolve(JobRef(f"u{number}", "a"), "c" * 64, f"{number}:{number}")
    assert len(owners._known) == BOUND
    last = 3 * BOUND - 1
    assert await owners.of(JobRef(f"u{last}", "a")) == (last, last), "the oldest are forgotten first"


def test_the_evidence_of_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe() -> None:
        raise AssertionError

    monkeypatch.setattr(exits, "_REMEMBERED", BOUND)
    causes = ContainerExits(None, "one", OwnSignals(), probe)  # type: ignore[arg-type]
    for number in range(3 * BOUND):
        with pytest.raises(EngineUnavailable), causes.noting_outages(f"u{number}"):
            raise EngineUnavailable("no answer")
    assert len(causes._evidence) == BOUND
    causes.forget(f"u{3 * BOUND - 1}")
    assert len(causes._evidence) == BOUND - 2


class Making:
    """Returns created containers, and creates none."""

    def __init__(self, container_id: str = "c" * 64) -> None:
        self.container_id = container_id

    async def create(self, order: Any, image_user: Any) -> tuple[Created, bool]:
        return Created(self.container_id, None), True


async def test_fresh_workers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_workers, "_REMEMBERED", BOUND)
    made: Any = DockerOrchestrator(
        DockerSettings(instance="one", sidecar_image="s"), environ={"DOCKER_HOST": "unix:///nonexistent"}
    )
    made._preparation._creation = Making()

    def order(uid: str) -> WorkOrder:
        return WorkOrder(JobRef(uid, "a"), JobSpec(id="a", image="b"), False, image_ready=True)

    for number in range(3 * BOUND):
        await made.prepare(order(f"u{number}"), Progress())
    assert len(made._fresh._ids) == BOUND
    made._preparation._creation = Making(LONG)
    await made.prepare(order("u"), Progress())
    assert LONG not in made._fresh._ids.values()
    await made._engine.close()


async def test_unconfirmed_volumes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unconfirmed_volumes, "_REMEMBERED", BOUND)

    class Silent:
        async def create_volume(self, *_: Any) -> Any:
            raise EngineUnavailable("no answer")

    made = UnconfirmedVolumes(Silent())  # type: ignore[arg-type]
    for number in range(3 * BOUND):
        with pytest.raises(EngineUnavailable):
            await made.create(labels.volume_name(f"j{number}"), {})
    assert len(made._asked) == BOUND


class Removing:
    """An engine whose containers have never run and are removed at once, with their events."""

    timeouts = Timeouts()

    @property
    def streams(self) -> "Removing":
        return self

    async def inspect_container(self, name: str) -> Inspected:
        raw = {"Id": name, "State": {"Status": "created", "StartedAt": ""}, "Config": {}}
        return msgspec.convert(raw, Inspected)

    async def touch_container(self, name: str) -> None:
        pass

    async def remove_container(self, name: str) -> None:
        raise Refusal(404, "no such container")

    async def path(self, path: str) -> str:
        return path

    def open(self, *_: Any, **__: Any) -> AbstractAsyncContextManager[Any]:
        class Empty:
            async def chunks(self) -> Any:
                for chunk in list[bytes]():
                    yield chunk

        @asynccontextmanager
        async def opened() -> Any:
            yield Empty()

        return opened()


async def test_marked_containers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def covers(*_: object) -> bool:
        return True

    monkeypatch.setattr(unstarted, "_REMEMBERED", BOUND)
    monkeypatch.setattr(Uptime, "covers_creation", covers)
    removal = UnstartedRemoval(Removing())  # type: ignore[arg-type]
    for number in range(3 * BOUND):
        await removal.remove(f"{number:064x}", 1)
    assert len(removal._marked) == BOUND
    assert (await removal.remove(LONG, 1)).kind == "unknown"
    assert LONG not in removal._marked


async def test_a_container_with_a_too_long_id_is_refused() -> None:
    class Answering:
        async def in_thread(self, *_: Any) -> Any:
            return {"Id": LONG}

    engine: Any = Engine(parse("unix:///nonexistent", None))
    engine._transport = Answering()
    with pytest.raises(EngineUnavailable, match="an id of 129 characters"):
        await engine.create_container({}, "job-a-worker", None)


@pytest.mark.parametrize("action", ["start", "die"])
def test_an_event_with_a_too_long_container_id_has_no_facts(action: str) -> None:
    actor = {"ID": LONG, "Attributes": {"exitCode": "7"}}
    raw = {"Type": "container", "Action": action, "Actor": actor, "timeNano": 10**9}
    assert facts_of_event(msgspec.convert(raw, EngineEvent), 1) is None


async def test_an_answer_of_the_engine_is_read_up_to_its_limit() -> None:
    class Content:
        parts = 0

        async def readany(self) -> bytes:
            self.parts += 1
            return b"x" * 1000

    class Response:
        headers: Mapping[str, str] = {}
        content = Content()

    response: Any = Response()
    with pytest.raises(EngineUnavailable, match="longer than 10000 bytes"):
        await Body(response).read(10_000)
    assert response.content.parts == 11
