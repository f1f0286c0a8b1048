"""Control calls to the engine through the docker SDK, and the one API version that all clients speak.

Owns the SDK, its threads, its untyped answers (none leaves this file) and the negotiation. `streams.py` carries what
flows, `attach.py` a container's input; both use the version and the endpoint from here. Knows nothing of jobs.

Source: Docker Engine API, 1.41 to 1.45.
"""

import asyncio
import resource
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import msgspec
import requests
from docker import APIClient
from docker.auth import get_config_header, load_config, resolve_repository_name
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from jobd.docker.answers import Refusal, refusal
from jobd.docker.endpoint import Endpoint
from jobd.docker.observe import Inspected
from jobd.docker.shapes import ImageInspected, Info, Stats, Version
from jobd.docker.spec import Body
from jobd.docker.streams import Streams, Timeouts
from jobd.docker.unix import OnePoolAdapter
from jobd.jobs.orchestrator import EngineUnavailable

T = TypeVar("T")
OnCall = Callable[[str, float, bool], None]
Speed = Literal["answer", "work"]
Labels = dict[str, str]

_THREADS = 32
_SMALL_ANSWER = 4 * 1024 * 1024


class Engine:
    """One engine. Safe to use from one event loop; every call has a limit in time and a bounded number of threads."""

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts | None = None, on_call: OnCall | None = None
    ) -> None:
        self.endpoint = endpoint
        self.timeouts = timeouts or Timeouts()
        self.streams = Streams(endpoint, self.timeouts)
        self._on_call = on_call
        self._at_once = at_once(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="engine")
        self._agreed: Version | None = None
        self._agreeing = asyncio.Lock()
        self._clients: dict[Speed, APIClient] = {}

    async def version(self, *, fresh: bool = False) -> Version:
        """Returns who the engine is and the API version spoken: the highest that both sides know.

        `fresh`: asks again, as after a reconnect, when another engine may be there.
        Raises: EngineUnavailable.
        """
        if self._agreed is not None and not fresh:
            return self._agreed
        async with self._agreeing:
            if self._agreed is not None and not fresh:
                return self._agreed
            answer = await self._get("/version", Version)
            spoken = agree(answer.api_version, answer.min_api_version)
            if self._agreed is None or self._agreed.spoken != spoken:
                self._clients = {
                    "answer": self._client(spoken, "answer"),
                    "work": self._client(spoken, "work"),
                }
            self._agreed = msgspec.structs.replace(answer, spoken=spoken)
            return self._agreed

    async def path(self, path: str) -> str:
        """Returns `path` below the agreed API version."""
        return f"/v{(await self.version()).spoken}{path}"

    async def info(self) -> Info:
        """Returns the engine's size. Raises: EngineUnavailable."""
        return await self._get(await self.path("/info"), Info)

    async def inspect_container(self, name: str) -> Inspected | None:
        """Looks at a container by name or id; None where it does not exist. Raises: EngineUnavailable."""
        return await self._look("inspect", lambda client: client.inspect_container(name), Inspected)

    async def stats(self, container_id: str) -> Stats:
        """Returns one measurement, at once. Raises: Refusal (404, 409), EngineUnavailable."""
        path = await self.path(f"/containers/{container_id}/stats")
        params = {"stream": "false", "one-shot": "true"}
        started = time.perf_counter()
        async with self.streams.open("GET", path, params=params, silence_s=self.timeouts.connect_s) as body:
            answer = await body.read(_SMALL_ANSWER)
        self._measured("stats", started, True)
        try:
            return msgspec.json.decode(answer, type=Stats)
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"{self.endpoint.url} gave no measurement: {error}") from error

    async def create_container(self, body: Body, name: str, platform: str | None) -> str:
        """Makes a container and returns its id. Raises: Refusal (409: the name is taken), EngineUnavailable."""

        def create(client: APIClient) -> Any:
            sdk: Any = client
            return sdk.create_container_from_config(body, name, platform)

        made = await self._call("create", create, "work")
        return str(made["Id"])

    async def start(self, container_id: str) -> None:
        """Starts a container, once. Raises: Refusal, Trouble, EngineUnavailable."""
        await self._call("start", lambda client: client.start(container_id), "work")

    async def kill(self, container_id: str, signal: str) -> None:
        """Sends a signal. Raises: Refusal (404, 409: it does not run), EngineUnavailable."""
        await self._call("kill", lambda client: client.kill(container_id, signal))

    async def remove_container(self, container_id: str) -> None:
        """Removes by force, with anonymous volumes. Raises: Refusal (404, 409: on its way), EngineUnavailable."""
        await self._call(
            "remove", lambda client: client.remove_container(container_id, v=True, force=True), "work"
        )

    async def create_volume(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> Labels:
        """Makes a volume and returns its labels; one that was there already keeps, and shows, its own.

        `options` are the local driver's.
        """
        wanted, given = dict(labels), dict(options) if options else None
        made: Any = await self._call(
            "volume-create",
            lambda client: client.create_volume(name, "local" if given else None, given, labels=wanted),
        )
        return _labels(made)

    async def volume_labels(self, name: str) -> Labels | None:
        """Returns a volume's labels; None where it does not exist. Raises: EngineUnavailable."""
        found: Any = await self._found("volume-inspect", lambda client: client.inspect_volume(name))
        return None if found is None else _labels(found)

    async def remove_volume(self, name: str) -> None:
        """Removes a volume. Raises: Refusal (404, 409: in use), EngineUnavailable."""
        await self._call("volume-remove", lambda client: client.remove_volume(name), "work")

    async def network_labels(self, name: str) -> Labels | None:
        """Returns a network's labels; None where it does not exist. Raises: EngineUnavailable."""
        found: Any = await self._found("network-inspect", lambda client: client.inspect_network(name))
        return None if found is None else _labels(found)

    async def remove_network(self, name: str) -> None:
        """Removes a network. Raises: Refusal (403, 409: in use), EngineUnavailable."""
        await self._call("network-remove", lambda client: client.remove_network(name))

    async def create_network(self, body: Body) -> None:
        """Makes a network. Raises: Refusal (409: the name is taken), EngineUnavailable."""
        raw: Any = body

        def create(client: APIClient) -> None:
            client.create_network(
                raw["Name"],
                driver=raw["Driver"],
                options=raw["Options"],
                labels=raw["Labels"],
                check_duplicate=raw["CheckDuplicate"],
            )

        await self._call("network-create", create, "work")

    async def inspect_image(self, name: str) -> ImageInspected | None:
        """Looks at a local image; None where it does not exist. Raises: EngineUnavailable."""

        def look(client: APIClient) -> Any:
            sdk: Any = client
            return sdk.inspect_image(name)

        return await self._look("image-inspect", look, ImageInspected)

    async def remove_image(self, image_id: str) -> None:
        """Removes an image that nothing uses. Raises: Refusal (404, 409: in use, or it has tags), EngineUnavailable."""
        await self._call("image-remove", lambda client: client.remove_image(image_id), "work")

    async def container_labels(self, labels: Mapping[str, str]) -> list[Labels]:
        """Returns the labels of all containers, running or not, that carry `labels`."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        listed: Any = await self._call(
            "list", lambda client: client.containers(all=True, filters=filters), "work"
        )
        return [_labels(entry) for entry in listed]

    async def labels_of_volumes(self, labels: Mapping[str, str]) -> list[Labels]:
        """Returns the labels of all volumes that carry `labels`."""
        filters: Any = {"label": [f"{name}={value}" for name, value in labels.items()]}
        listed: Any = await self._call("volume-list", lambda client: client.volumes(filters=filters), "work")
        return [_labels(entry) for entry in listed.get("Volumes") or []]

    async def credentials(self, repository: str) -> str | None:
        """Returns the `X-Registry-Auth` header for a repository's registry, from the user's docker configuration.

        Read anew each time, so that a `docker login` counts at once.
        """

        def header(client: APIClient) -> Any:
            sdk: Any = client
            sdk._auth_configs = load_config(credstore_env=sdk.credstore_env)
            registry, _ = resolve_repository_name(repository)
            return get_config_header(sdk, registry)

        found: Any = await self._call("credentials", header)
        return None if not found else found.decode() if isinstance(found, bytes) else str(found)

    async def close(self) -> None:
        """Ends connections and threads; calls under way end within their limits."""
        await self.streams.close()
        for client in self._clients.values():
            client.close()
        self._clients = {}
        self._agreed = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _get(self, path: str, shape: type[T]) -> T:
        """Asks on the event loop, so that health checks do not wait for a thread."""
        started = time.perf_counter()
        ok = False
        try:
            async with self.streams.open("GET", path, silence_s=self.timeouts.connect_s) as body:
                answer = msgspec.json.decode(await body.read(_SMALL_ANSWER), type=shape)
            ok = True
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(
                f"{self.endpoint.url}{path} gave no answer of an engine: {error}"
            ) from error
        except Refusal as error:
            raise EngineUnavailable(f"{self.endpoint.url}{path}: {error}") from error
        finally:
            self._measured(path.rpartition("/")[2], started, ok)
        return answer

    async def _look(self, name: str, call: Callable[[APIClient], object], shape: type[T]) -> T | None:
        found = await self._found(name, call)
        return None if found is None else msgspec.convert(found, shape)

    async def _found(self, name: str, call: Callable[[APIClient], object]) -> object | None:
        """Only a 404 means absent; any other refusal leaves it unknown."""
        try:
            return await self._call(name, call)
        except Refusal as error:
            if error.status == 404:
                return None
            raise EngineUnavailable(error.message) from error

    async def _call(self, name: str, call: Callable[[APIClient], T], speed: Speed = "answer") -> T:
        await self.version()
        client = self._clients[speed]
        limit_s = self._limit_s(speed)
        started = time.perf_counter()
        ok = False
        try:
            # The client's own limit comes first; this one also covers the wait for a thread.
            async with asyncio.timeout(limit_s + self.timeouts.connect_s):
                result = await asyncio.get_running_loop().run_in_executor(
                    self._threads, _translated, call, client
                )
            ok = True
            return result
        except TimeoutError as error:
            raise EngineUnavailable(f"the engine did not answer to {name} within {limit_s:g} s") from error
        except Refusal:
            ok = True  # an answer, if not the one hoped for
            raise
        finally:
            self._measured(name, started, ok)

    def _measured(self, name: str, started: float, ok: bool) -> None:
        if self._on_call is not None:
            self._on_call(name, time.perf_counter() - started, ok)

    def _limit_s(self, speed: Speed) -> float:
        return self.timeouts.answer_s if speed == "answer" else self.timeouts.work_s

    def _client(self, version: str, speed: Speed) -> APIClient:
        endpoint = self.endpoint
        options: Any = {"timeout": self._limit_s(speed), "version": version, "max_pool_size": self._at_once}
        try:
            if endpoint.tls is not None:
                cert = (endpoint.tls.cert, endpoint.tls.key) if endpoint.tls.cert else None
                sdk_tls: Any = TLSConfig
                options["tls"] = sdk_tls(
                    client_cert=cert, ca_cert=endpoint.tls.ca, verify=endpoint.tls.verify
                )
            base = endpoint.url if endpoint.socket_path else endpoint.base_url
            client: APIClient = APIClient(base_url=base, **options)
        except DockerException as error:
            raise EngineUnavailable(f"cannot set up a client for {endpoint.url}: {error}") from error
        # Proxy variables are for the way out, never for the way to the engine.
        client.trust_env = False
        if endpoint.socket_path is not None:
            adapter = OnePoolAdapter(str(endpoint.socket_path), self._limit_s(speed), self._at_once)
            client.mount("http+docker://", adapter)
        return client


def at_once(descriptors: int) -> int:
    """Returns how many calls may be under way at once where the process may have so many files open (-1: any number).

    Each has a connection, which is kept for the next one: of few descriptors those must not be all.
    """
    return _THREADS if descriptors < 0 else max(2, min(_THREADS, descriptors // 8))


def agree(api_version: str, min_api_version: str) -> str:
    """Returns the highest API version that the engine and this code know.

    Raises: EngineUnavailable: there is none.
    """
    spoken = min(api_version, DEFAULT_DOCKER_API_VERSION, key=_ordered)
    if _ordered(spoken) < _ordered(min_api_version):
        error = EngineUnavailable(f"the engine speaks API {min_api_version} and above, jobd up to {spoken}")
        error.remedy = "upgrade jobd, or set DOCKER_MIN_API_VERSION for the engine"
        raise error
    return spoken


def _ordered(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError as error:
        raise EngineUnavailable(f"{version!r} is no API version") from error


def _labels(raw: Any) -> Labels:
    return {str(name): str(value) for name, value in (raw.get("Labels") or {}).items()}


def _translated(call: Callable[[APIClient], T], client: APIClient) -> T:
    """Runs in a thread: the one place where the SDK's exceptions become ours."""
    try:
        return call(client)
    except APIError as error:
        status = error.status_code
        if status is None:
            raise EngineUnavailable(str(error)) from error
        raise refusal(int(status), str(error.explanation or error)) from None
    except (requests.exceptions.RequestException, DockerException, OSError, ValueError) as error:
        raise EngineUnavailable(f"the engine did not answer: {error}") from error
