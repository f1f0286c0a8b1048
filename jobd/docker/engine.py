"""The engine's calls by name, with typed answers.

The SDK's untyped answers are converted here. `transport.py` makes the calls, `sdk.py` wraps the SDK; `http_session.py` has the
streaming calls, `attach.py` a container's input; both use the version and the endpoint from here.

Source: Docker Engine API, 1.41 to 1.45.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from docker import APIClient

from jobd.docker.http.endpoint import Endpoint
from jobd.docker.http.errors import Refusal
from jobd.docker.http.http_session import HttpSession, Timeouts
from jobd.docker.http.sdk import registry_auth
from jobd.docker.http.transport import SMALL_ANSWER, OnCall, Transport
from jobd.docker.mapping.container_options import Body
from jobd.docker.mapping.inspection import LONGEST_ID, Inspected, parse_timestamp
from jobd.docker.mapping.models import (
    NO_INIT,
    DiskUsage,
    ImageInspected,
    Info,
    Listed,
    ListedNetwork,
    Stats,
    Version,
)
from jobd.jobs.port.errors import EngineUnavailable

Labels = dict[str, str]
DISK_USAGE_LIMIT_S = 20.0
LARGE_ANSWER = 32 * 1024 * 1024


class Engine:
    """One engine. Safe to use from one event loop; every call has a time limit, and the number of threads is bounded."""

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts | None = None, on_call: OnCall | None = None
    ) -> None:
        self.endpoint = endpoint
        self.timeouts = timeouts or Timeouts()
        self.streams = HttpSession(endpoint, self.timeouts)
        self._transport = Transport(endpoint, self.timeouts, self.streams, on_call)
        self.has_init = True
        """Whether the engine has an init for containers, as the last `info` said."""

    async def version(self, *, fresh: bool = False) -> Version:
        """Returns the engine's version with the negotiated API version.

        `fresh`: asks the engine again: after a reconnect its version may differ.
        Raises: EngineUnavailable.
        """
        return await self._transport.version(fresh=fresh)

    async def path(self, path: str) -> str:
        """Returns `path` below the negotiated API version."""
        return await self._transport.path(path)

    async def info(self) -> Info:
        """Returns the system information. Raises: EngineUnavailable."""
        info = await self._transport.on_loop(await self.path("/info"), Info)
        self.has_init = info.init_commit.id != NO_INIT
        return info

    async def inspect_container(self, name: str) -> Inspected | None:
        """Inspects a container by name or id; None if the container does not exist. Raises: EngineUnavailable."""
        return await self._transport.inspected(
            "inspect", lambda client: client.inspect_container(name), Inspected
        )

    async def stats(self, container_id: str) -> Stats:
        """Returns one sample, without delay. Raises: Refusal (404, 409), EngineUnavailable."""
        path = await self.path(f"/containers/{container_id}/stats")
        params = {"stream": "false", "one-shot": "true"}
        started = time.perf_counter()
        async with self.streams.open("GET", path, params=params, silence_s=self.timeouts.connect_s) as body:
            answer = await body.read(SMALL_ANSWER)
        self._transport.measured("stats", started, True)
        try:
            return msgspec.json.decode(answer, type=Stats)
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"{self.endpoint.url} returned invalid stats: {error}") from error

    async def disk_usage(self) -> DiskUsage:
        """Measures all containers and volumes; may take seconds. Raises: EngineUnavailable."""
        path = await self.path("/system/df")
        started = time.perf_counter()
        try:
            async with self.streams.open("GET", path, silence_s=DISK_USAGE_LIMIT_S) as body:
                answer = await body.read(LARGE_ANSWER)
            self._transport.measured("disk-usage", started, True)
            return msgspec.json.decode(answer, type=DiskUsage)
        except (Refusal, msgspec.MsgspecError) as error:
            # The engine refuses while it measures for another client.
            raise EngineUnavailable(f"cannot read the disk usage of {self.endpoint.url}: {error}") from error

    async def create_container(self, body: Body, name: str, platform: str | None) -> str:
        """Creates a container and returns its id. Raises: Refusal (409: the name is taken), EngineUnavailable."""

        def create(client: APIClient) -> Any:
            sdk: Any = client
            return sdk.create_container_from_config(body, name, platform)

        made = await self._transport.in_thread("create", create, "work")
        container_id = str(made["Id"])
        if len(container_id) > LONGEST_ID:
            raise EngineUnavailable(f"the engine gave a container an id of {len(container_id)} characters")
        return container_id

    async def start(self, container_id: str) -> None:
        """Starts a container, once. Raises: Refusal, ServerError, EngineUnavailable."""
        await self._transport.in_thread("start", lambda client: client.start(container_id), "work")

    async def kill(self, container_id: str, signal: str) -> None:
        """Sends a signal. Raises: Refusal (404, 409: the container does not run), EngineUnavailable."""
        await self._transport.in_thread("kill", lambda client: client.kill(container_id, signal))

    async def pause(self, container_id: str) -> None:
        """Freezes a running container. Raises: Refusal (404, 409: is paused or does not run), ServerError, EngineUnavailable."""
        await self._transport.in_thread("pause", lambda client: client.pause(container_id))

    async def unpause(self, container_id: str) -> None:
        """Thaws a container. Raises: Refusal (404), ServerError (also if the container is not paused), EngineUnavailable."""
        await self._transport.in_thread("unpause", lambda client: client.unpause(container_id))

    async def remove_container(self, container_id: str) -> None:
        """Removes a container that does not run, with its anonymous volumes.

        The engine holds the container's lock: after a start it answers 409, and it refuses a start after the removal.
        Raises: Refusal (404, 409: the container runs or is being removed), EngineUnavailable.
        """
        await self._transport.in_thread(
            "remove", lambda client: client.remove_container(container_id, v=True, force=False), "work"
        )

    async def destroy_container(self, container_id: str) -> None:
        """Kills and removes a container, with its anonymous volumes: only after its end is stored or requested.

        Raises: Refusal (404, 409: the container is being removed), EngineUnavailable.
        """
        await self._transport.in_thread(
            "destroy", lambda client: client.remove_container(container_id, v=True, force=True), "work"
        )

    async def touch_container(self, container_id: str) -> None:
        """Makes the engine emit an `update` event, and changes nothing. Raises: Refusal, EngineUnavailable."""
        path = await self.path(f"/containers/{container_id}/update")
        async with self.streams.open(
            "POST",
            path,
            data=b"{}",
            headers={"Content-Type": "application/json"},
            silence_s=self.timeouts.answer_s,
        ) as body:
            await body.read(SMALL_ANSWER)

    async def create_volume(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> Labels:
        """Creates a volume and returns its labels; an existing volume keeps its own labels.

        `options` are the local driver's.
        """
        wanted, given = dict(labels), dict(options) if options else None
        made: Any = await self._transport.in_thread(
            "volume-create",
            lambda client: client.create_volume(name, "local" if given else None, given, labels=wanted),
        )
        return _labels(made)

    async def volume_labels(self, name: str) -> Labels | None:
        """Returns a volume's labels; None if the volume does not exist. Raises: EngineUnavailable."""
        found: Any = await self._transport.found("volume-inspect", lambda client: client.inspect_volume(name))
        return None if found is None else _labels(found)

    async def volume_age_s(self, name: str) -> float | None:
        """Returns the age of a volume in seconds by the engine's clock; None if unknown.

        Raises: EngineUnavailable.
        """
        found: Any = await self._transport.found("volume-inspect", lambda client: client.inspect_volume(name))
        made = parse_timestamp(str((found or {}).get("CreatedAt") or ""))
        now = parse_timestamp((await self.info()).system_time)
        return None if made is None or now is None else (now - made).total_seconds()

    async def remove_volume(self, name: str) -> None:
        """Removes a volume. Raises: Refusal (404, 409: in use), EngineUnavailable."""
        await self._transport.in_thread("volume-remove", lambda client: client.remove_volume(name), "work")

    async def networks(self, name: str) -> list[ListedNetwork]:
        """Returns the networks of exactly this name, the oldest first: the engine does not prevent a second one. Raises: EngineUnavailable."""
        listed: Any = await self._transport.in_thread(
            "network-list", lambda client: client.networks(names=[name])
        )
        found = [one for one in msgspec.convert(listed, list[ListedNetwork]) if one.name == name]
        return sorted(found, key=lambda one: one.created)

    async def remove_network(self, network_id: str) -> None:
        """Removes a network. Raises: Refusal (403, 409: in use), EngineUnavailable."""
        await self._transport.in_thread("network-remove", lambda client: client.remove_network(network_id))

    async def runs_in_network(self, name: str) -> bool:
        """Returns whether a container runs in the network. Raises: Refusal, EngineUnavailable."""
        filters = {"network": [name]}
        listed: Any = await self._transport.in_thread(
            "list", lambda client: client.containers(filters=filters), "answer"
        )
        return bool(listed)

    async def create_network(self, body: Body) -> None:
        """Creates a network. Raises: Refusal (409: the name is taken), EngineUnavailable."""
        raw: Any = body

        def create(client: APIClient) -> None:
            client.create_network(
                raw["Name"],
                driver=raw["Driver"],
                options=raw["Options"],
                labels=raw["Labels"],
                check_duplicate=raw["CheckDuplicate"],
            )

        await self._transport.in_thread("network-create", create, "work")

    async def inspect_image(self, name: str) -> ImageInspected | None:
        """Inspects a local image; None if the image does not exist. Raises: EngineUnavailable."""

        def inspect(client: APIClient) -> Any:
            sdk: Any = client
            return sdk.inspect_image(name)

        return await self._transport.inspected("image-inspect", inspect, ImageInspected)

    async def image_tags(self) -> list[str]:
        """Returns the names and tags of the local images. Raises: Refusal, ServerError, EngineUnavailable."""
        listed: Any = await self._transport.in_thread("image-list", lambda client: client.images(), "work")
        return [str(tag) for one in listed for tag in one.get("RepoTags") or []]

    async def remove_image(self, image_id: str) -> None:
        """Removes an unused image. Raises: Refusal (404, 409: in use, or several tags), EngineUnavailable."""
        await self._transport.in_thread("image-remove", lambda client: client.remove_image(image_id), "work")

    async def containers(self, labels: Mapping[str, str]) -> list[Listed]:
        """Returns all containers, running or not, that carry `labels`."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        listed: Any = await self._transport.in_thread(
            "list", lambda client: client.containers(all=True, filters=filters), "work"
        )
        return msgspec.convert(listed, list[Listed])

    async def labels_of_volumes(self, labels: Mapping[str, str]) -> list[Labels]:
        """Returns the labels of all volumes that carry `labels`."""
        filters: Any = {"label": [f"{name}={value}" for name, value in labels.items()]}
        listed: Any = await self._transport.in_thread(
            "volume-list", lambda client: client.volumes(filters=filters), "work"
        )
        return [_labels(entry) for entry in listed.get("Volumes") or []]

    async def credentials(self, repository: str) -> str | None:
        """Returns the `X-Registry-Auth` header for a repository's registry, from the user's docker configuration.

        Reads the configuration at each call, so that a `docker login` takes effect at once.
        """
        return await self._transport.in_thread(
            "credentials", lambda client: registry_auth(client, repository)
        )

    async def close(self) -> None:
        """Closes connections and threads; calls in progress end within their limits."""
        await self.streams.close()
        self._transport.close()


def _labels(raw: Any) -> Labels:
    return {str(name): str(value) for name, value in (raw.get("Labels") or {}).items()}
