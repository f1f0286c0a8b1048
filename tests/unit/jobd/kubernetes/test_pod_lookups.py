"""How a job's Pods are found: by name where the attempts are known, since a list makes the API server look at all Pods of the namespace."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.clock import SystemClock
from jobd.jobs.port.model import ContainerState, JobRef
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping.labels import pod_name
from jobd.kubernetes.mapping.models import Pod, PodList
from jobd.kubernetes.pods.api import BY_NAME, PodApi
from jobd.kubernetes.pods.observing import Observing
from jobd.kubernetes.pods.preparation import Preparation
from jobd.kubernetes.watch.changes import Changes
from tests.unit.jobd.kubernetes.pods import INSTANCE, REF, SETTINGS, body, order, pod, running

PODS = "/pods"


class Client:
    """An API server that has these Pods; `asked` are the names of the calls."""

    pods = PODS

    def __init__(self, *pods: Pod) -> None:
        self.asked: list[str] = []
        self._pods = {one.metadata.name: one for one in pods}

    async def call(self, name: str, method: str, path: str, **_: Any) -> bytes:
        self.asked.append(name)
        if path == PODS:
            return msgspec.json.encode(PodList(items=list(self._pods.values())))
        found = self._pods.get(path.removeprefix(f"{PODS}/"))
        if found is None:
            raise ApiError(404, "NotFound", "no such Pod")
        return msgspec.json.encode(found)


def attempt(number: int) -> JobRef:
    return JobRef(REF.uid, REF.id, number)


def api_of(*attempts: int) -> tuple[PodApi, Client]:
    client: Any = Client(*(pod(worker=running(), ref=attempt(one), uid=f"pod-{one}") for one in attempts))
    return PodApi(client, INSTANCE), client


@given(st.integers(1, BY_NAME), st.sets(st.integers(1, BY_NAME)))
async def test_the_pods_of_an_attempt_and_of_the_earlier_ones_are_found_without_a_list(
    latest: int, existing: set[int]
) -> None:
    api, client = api_of(*existing)
    found = await api.until_attempt(attempt(latest))
    wanted = [f"pod-{one}" for one in sorted(existing, reverse=True) if one <= latest]
    assert [one.metadata.uid for one in found] == wanted
    assert client.asked == ["pod-get"] * latest


async def test_the_pods_of_many_attempts_come_from_one_list() -> None:
    api, client = api_of(1, BY_NAME + 1)
    found = await api.until_attempt(attempt(BY_NAME + 1))
    assert [one.metadata.uid for one in found] == [f"pod-{BY_NAME + 1}", "pod-1"]
    assert client.asked == ["pod-list"]


async def test_a_foreign_pod_with_the_name_of_an_attempt_is_not_the_jobs() -> None:
    foreign = pod(worker=running())
    foreign.metadata.labels.clear()
    assert foreign.metadata.name == pod_name(REF, INSTANCE)
    client: Any = Client(foreign)
    assert await PodApi(client, INSTANCE).of_attempt(REF) is None


@pytest.mark.parametrize(
    ("existing", "asked", "number", "calls"),
    [
        ((1,), 1, 1, ["pod-get"]),
        ((), 1, None, ["pod-get", "pod-list"]),
        ((1, 2), 2, 2, ["pod-get"]),
        ((1,), 2, 1, ["pod-get", "pod-list"]),
        ((2,), 1, 2, ["pod-get", "pod-list"]),
    ],
)
async def test_a_look_is_one_request_unless_that_attempt_has_no_pod(
    existing: tuple[int, ...], asked: int, number: int | None, calls: list[str]
) -> None:
    api, client = api_of(*existing)
    worker = (await Observing(api, SystemClock()).observe(attempt(asked))).worker
    assert (worker.attempt if worker else None) == number
    assert worker is None or worker.state is ContainerState.RUNNING
    assert client.asked == calls


async def test_a_later_attempt_that_a_restored_state_folder_does_not_know_is_removed() -> None:
    """Its worker would run beside that of the attempt that jobd makes now."""
    api, client = api_of(BY_NAME + 2)
    removed: list[str] = []

    class Removal:
        async def remove_pod(self, found: Pod) -> None:
            removed.append(found.metadata.uid)

    removal: Any = Removal()
    preparation = Preparation(api, SETTINGS, removal, None, None, Changes(), SystemClock())  # type: ignore[arg-type]
    assert await preparation._existing(attempt(1), body(order())) is None
    assert removed == [f"pod-{BY_NAME + 2}"]
    client.asked.clear()
    other = JobRef("another-uid-of-a-new-job", "new", 1)
    assert await preparation._existing(other, body(order(ref=other))) is None
    assert client.asked == ["pod-get"], "a job that is new to the cluster needs no list"
