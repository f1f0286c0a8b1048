"""The Pod calls by name, with typed answers. `http/client.py` makes the requests; what a refusal means is the caller's.

Source: Kubernetes API v1, Pod; RFC 6902; RFC 7386.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import JobRef
from jobd.kubernetes.http.channels import Channels, exit_code, failure, query
from jobd.kubernetes.http.client import JSON_PATCH, MERGE_PATCH, Client
from jobd.kubernetes.http.errors import ApiError, port_error
from jobd.kubernetes.mapping import labels
from jobd.kubernetes.mapping.models import Pod, PodList

PAGE = 500
BY_NAME = 3
"""So many Pods are asked for one by one; a list makes the API server look at all Pods of the namespace."""
T = TypeVar("T")
OUTPUT_BYTES = 64 << 10


@contextlib.contextmanager
def translated() -> Any:
    """Raises the port's error for a refusal that the block does not handle."""
    try:
        yield
    except ApiError as error:
        raise port_error(error) from error


class PodApi:
    """Pods of one jobd in one namespace."""

    def __init__(self, client: Client, instance: str) -> None:
        self.client = client
        self.instance = instance

    async def create(self, body: Mapping[str, Any]) -> Pod:
        """Creates a Pod. Raises ApiError (is_taken, is_over_quota, ...), EngineUnavailable."""
        answer = await self.client.call("pod-create", "POST", self.client.pods, body=body)
        return _decode(answer, Pod)

    async def get(self, name: str) -> Pod | None:
        """Returns a Pod; None if there is none of that name. Raises ApiError, EngineUnavailable."""
        try:
            return _decode(await self.client.call("pod-get", "GET", self._path(name)), Pod)
        except ApiError as error:
            if error.is_absent:
                return None
            raise

    async def of_attempt(self, ref: JobRef) -> Pod | None:
        """Returns the Pod of one attempt, by its name: for the API server far less work than a list. Raises ApiError, EngineUnavailable."""
        pod = await self.get(labels.pod_name(ref, self.instance))
        return pod if pod is not None and ref_of(pod, self.instance) == ref else None

    async def until_attempt(self, ref: JobRef) -> list[Pod]:
        """Returns the Pods of this attempt and of the earlier ones, the latest first. Raises ApiError, EngineUnavailable."""
        if ref.attempt > BY_NAME:
            return await self.of_job(ref)
        refs = [replace(ref, attempt=attempt) for attempt in range(ref.attempt, 0, -1)]
        return [pod for one in refs if (pod := await self.of_attempt(one)) is not None]

    async def of_job(self, ref: JobRef) -> list[Pod]:
        """Returns the Pods of all attempts of a job, the latest attempt first. Raises ApiError, EngineUnavailable."""
        pods, _ = await self.listed(labels.selector_of_job(ref, self.instance))
        found = [(ref_of(pod, self.instance), pod) for pod in pods]
        own = [(one.attempt, pod) for one, pod in found if one is not None and one.uid == ref.uid]
        return [pod for _, pod in sorted(own, key=lambda pair: -pair[0])]

    async def listed(self, selector: str) -> tuple[list[Pod], str]:
        """Returns all Pods that a selector chooses, and the list's resource version. Raises ApiError, EngineUnavailable."""
        pods: list[Pod] = []
        params = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            answer = await self.client.call("pod-list", "GET", self.client.pods, params=params)
            page = _decode(answer, PodList)
            pods += page.items
            if not page.metadata.continue_:
                return pods, page.metadata.resource_version
            params["continue"] = page.metadata.continue_

    async def merge(self, name: str, patch: Mapping[str, Any]) -> Pod | None:
        """Changes fields of a Pod; returns None if the Pod does not exist. Raises ApiError, EngineUnavailable."""
        return await self._patch(name, patch, MERGE_PATCH)

    async def patch(self, name: str, operations: list[dict[str, Any]]) -> Pod | None:
        """Applies operations to a Pod, all or none; returns None if the Pod does not exist. Raises ApiError, EngineUnavailable."""
        return await self._patch(name, operations, JSON_PATCH)

    async def _patch(self, name: str, body: Any, content_type: str) -> Pod | None:
        try:
            path = self._path(name)
            answer = await self.client.call("pod-patch", "PATCH", path, body=body, content_type=content_type)
        except ApiError as error:
            if error.is_absent:
                return None
            raise
        return _decode(answer, Pod)

    async def delete(self, pod: Pod, grace_s: int, *, version: str | None = None) -> bool:
        """Deletes this Pod, and no other of its name; returns whether it existed. `version`: only if nothing has changed since.

        Raises: ApiError (is_changed), EngineUnavailable.
        """
        conditions = {"uid": pod.metadata.uid}
        if version is not None:
            conditions["resourceVersion"] = version
        body = {"gracePeriodSeconds": grace_s, "preconditions": conditions}
        try:
            await self.client.call("pod-delete", "DELETE", self._path(pod.metadata.name), body=body)
        except ApiError as error:
            if error.is_absent:
                return False
            if error.is_changed and version is None:
                return False  # another Pod has the name by now
            raise
        return True

    @contextlib.asynccontextmanager
    async def execute(
        self, name: str, container: str, arguments: tuple[str, ...], *, stdin: bool, tty: bool = False
    ) -> AsyncIterator[Channels]:
        """Starts a command in a running container. Raises ApiError, EngineUnavailable."""
        params = query(container, arguments, stdin=stdin, tty=tty)
        async with self.client.channels(f"{self._path(name)}/exec", params) as socket:
            yield Channels(socket)

    @contextlib.asynccontextmanager
    async def attach(self, name: str, container: str) -> AsyncIterator[Channels]:
        """Opens the standard input of a running container. Raises ApiError, EngineUnavailable."""
        params = query(container, (), stdin=True, output=False)
        async with self.client.channels(f"{self._path(name)}/attach", params) as socket:
            yield Channels(socket)

    async def run(self, name: str, container: str, *arguments: str) -> tuple[int | None, str]:
        """Runs a short command to its end; returns its exit code and the beginning of what it printed.

        Raises: ApiError, EngineUnavailable.
        """
        said = b""
        async with self.execute(name, container, arguments, stdin=False) as channels:
            async for _, data in channels.output():
                said += data[: OUTPUT_BYTES - len(said)]
            code = exit_code(channels.error)
        text = said.decode("utf-8", "replace").strip()
        return code, text or failure(channels.error)

    def log_path(self, name: str) -> str:
        """Returns the path of a Pod's log."""
        return f"{self._path(name)}/log"

    def _path(self, name: str) -> str:
        return f"{self.client.pods}/{name}"


def ref_of(pod: Pod, instance: str) -> JobRef | None:
    """Returns the attempt of a Pod; None if the Pod is not this jobd's."""
    return labels.ref_of(pod.metadata.annotations, pod.metadata.labels, instance)


def _decode(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise EngineUnavailable(f"the API server's answer cannot be read: {error}", answered=True) from error
