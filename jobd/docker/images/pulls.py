"""Pulls and builds, as streams of the engine's messages: progress, errors, stalls.

Reads these streams and translates a failed pull. `images.py` decides when to pull.

Source: Docker Engine API, ImageCreate, ImageBuild.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec
from docker.utils import parse_repository_tag

from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError, as_error
from jobd.docker.http.http_session import Silent
from jobd.docker.mapping.failures import failure
from jobd.docker.mapping.models import Message, ProgressDetail
from jobd.jobs.port.errors import EngineError, EngineUnavailable, ImageUnavailable
from jobd.jobs.port.model import ImagePull, Progress

OnProgress = Callable[[Progress], None]

_PROGRESS_EVERY_S = 0.5
_LINE_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
MOST_LAYERS = 256
"""With the overlay2 driver an image has at most 127 layers."""
_LAYER_ID_CHARACTERS = 64
_COMPLETE = frozenset({"Pull complete", "Already exists"})
_OF_LAYERS = _COMPLETE | {
    "Pulling fs layer", "Waiting", "Downloading", "Verifying Checksum", "Download complete", "Extracting",
}  # fmt: skip
"""The statuses of messages about a layer; the image's own message has another one."""
_LAYER_BYTES = 1 << 60


class PullProgress:
    """Adds up the layers of a pull, reported at most every half second.

    Counts `MOST_LAYERS` layers at most, and none whose id or size is out of range.
    """

    def __init__(self, on_progress: OnProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_progress = on_progress
        self._clock = clock
        self._layers: dict[str, tuple[int, int]] = {}
        self._complete: dict[str, bool] = {}
        """Of each layer, also those that the engine had before."""
        self._reported_at = float("-inf")

    def note(self, status: str, layer: str, current: int | None, total: int | None) -> None:
        """Counts one message of the engine."""
        if status in _OF_LAYERS and self._is_known(layer, self._complete):
            self._complete[layer] = self._complete.get(layer, False) or status in _COMPLETE
        if status == "Downloading" and current is not None and total and self._counts(layer, current, total):
            self._layers[layer] = (current, total)
        elif status in ("Download complete", "Pull complete") and layer in self._layers:
            whole = self._layers[layer][1]
            self._layers[layer] = (whole, whole)
        now = self._clock()
        if now - self._reported_at < _PROGRESS_EVERY_S:
            return
        self._reported_at = now
        done = sum(current for current, _ in self._layers.values())
        whole = sum(total for _, total in self._layers.values())
        complete = sum(self._complete.values())
        self._on_progress(ImagePull(done, whole or None, complete, len(self._complete)))

    def _counts(self, layer: str, current: int, total: int) -> bool:
        sane = 0 <= current <= _LAYER_BYTES and 0 < total <= _LAYER_BYTES
        return sane and self._is_known(layer, self._layers)

    def _is_known(self, layer: str, known: Mapping[str, object]) -> bool:
        """Returns whether the layer is one of the known ones or may become one."""
        return (layer in known or len(known) < MOST_LAYERS) and 0 < len(layer) <= _LAYER_ID_CHARACTERS


class Pulls:
    """The pulls and builds of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def pull(self, image: str, platform: str | None, on_progress: OnProgress) -> None:
        """Pulls one tag, by default `latest`, with the user's registry credentials.

        Raises: ImageUnavailable: the registry refused, did not answer, or stalled. EngineUnavailable.
        """
        repository, tag = parse_repository_tag(image)
        params = {"fromImage": repository, "tag": tag or "latest"}
        if platform is not None:
            params["platform"] = platform
        credentials = await self._engine.credentials(repository)
        headers = {} if credentials is None else {"X-Registry-Auth": credentials}
        progress = PullProgress(on_progress)
        try:
            async for message in self.messages("/images/create", params, headers, b""):
                if message.error:
                    raise _pull_failed(image, message.error)
                detail = message.progress or ProgressDetail()
                progress.note(message.status, message.id, detail.current, detail.total)
        except (Refusal, ServerError) as error:
            raise _pull_failed(image, error.message) from error
        except Silent as error:
            stall_s = self._engine.timeouts.stall_s
            raise _pull_failed(image, f"the pull stalled: no data for {stall_s:g} s") from error

    async def messages(
        self, path: str, params: dict[str, str], headers: dict[str, str], data: bytes
    ) -> AsyncIterator[Message]:
        """Posts `data` and yields the engine's messages. Raises Silent: the engine stalled."""
        rest = b""
        async with self._engine.streams.open(
            "POST",
            await self._engine.path(path),
            params=params,
            headers=headers,
            data=_pieces(data),
            silence_s=self._engine.timeouts.stall_s,
        ) as body:
            async for chunk in body.chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _decoded(line)
                if len(rest) > _LINE_BYTES:
                    raise EngineUnavailable("a progress line of the engine is too long")
        if rest.strip():
            yield _decoded(rest)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yields a large body in pieces, so that sending does not block the event loop."""
    for at in range(0, len(data), _PIECE_BYTES):
        yield data[at : at + _PIECE_BYTES]


def _decoded(line: bytes) -> Message:
    try:
        return msgspec.json.decode(line, type=Message)
    except msgspec.DecodeError as error:
        raise EngineUnavailable(f"cannot read the engine's progress: {error}") from error


def unavailable(message: str, remedy: str) -> ImageUnavailable:
    """Returns the error with its remedy."""
    error = ImageUnavailable(message)
    error.remedy = remedy
    return error


def _pull_failed(image: str, why: str) -> EngineError:
    """Returns the error for a failed pull with this text: an error inside the stream has no status."""
    found = failure("pull", 500, why)
    if found.meaning != "final":
        return as_error("pull", found)
    text = why.lower()
    if "unauthorized" in text or "denied" in text or "no basic auth credentials" in text:
        remedy = "check the image's name; for a private image run docker login as the user that runs jobd"
    elif "toomanyrequests" in text:
        remedy = "wait, or run docker login as the user that runs jobd"
    elif "not found" in text or "manifest unknown" in text:
        remedy = "check the image's name and tag"
    else:
        remedy = "check the registry and the network; docker pull shows the same error"
    return unavailable(f"cannot pull {image!r}: {why}", remedy)
