"""Images: a job's, pulled as its policy says, and the sidecar's, which is found, pulled or built.

Owns pulling and building. What the sidecar image is made of stands in `sidecar_context.py`.
`python -m jobd.docker.images` makes the sidecar image and says so.

Source: Docker Engine API, ImageCreate, ImageBuild, ImageInspect.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable

import msgspec
from docker.utils import parse_repository_tag

from jobd.docker import labels, sidecar_context
from jobd.docker.answers import Refusal, Trouble
from jobd.docker.endpoint import endpoint
from jobd.docker.engine import Engine, ImageInspected
from jobd.docker.sidecar_context import Context
from jobd.docker.streams import Silent
from jobd.jobs.orchestrator import EngineError, EngineUnavailable, ImageFacts, ImageUnavailable
from jobd.wire.job import Pull

Progress = Callable[[str], None]

_PROGRESS_EVERY_S = 0.5
_LINE_BYTES = 1024 * 1024
_TAIL_LINES = 15
_PIECE_BYTES = 256 * 1024
SIDECAR_PULL_S = 120
BASE_PULL_S = 300
_RUNS_ON = {("amd64", "386"), ("arm64", "arm")}


class _ProgressDetail(msgspec.Struct, frozen=True):
    current: int | None = None
    total: int | None = None


class _Message(msgspec.Struct, frozen=True, rename={"progress": "progressDetail"}):
    status: str = ""
    id: str = ""
    error: str = ""
    stream: str = ""
    progress: _ProgressDetail | None = None


class PullProgress:
    """Adds up the layers of a pull into one short text, given out at most every half second."""

    def __init__(self, on_progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_progress = on_progress
        self._clock = clock
        self._layers: dict[str, tuple[int, int]] = {}
        self._said_at = float("-inf")

    def note(self, status: str, layer: str, current: int | None, total: int | None) -> None:
        """Takes one message of the engine."""
        if status == "Downloading" and layer and current is not None and total:
            self._layers[layer] = (current, total)
        elif status in ("Download complete", "Pull complete") and layer in self._layers:
            whole = self._layers[layer][1]
            self._layers[layer] = (whole, whole)
        now = self._clock()
        if now - self._said_at < _PROGRESS_EVERY_S:
            return
        self._said_at = now
        done = sum(current for current, _ in self._layers.values())
        whole = sum(total for _, total in self._layers.values())
        self._on_progress(f"pulling {done / 1e6:.1f} / {whole / 1e6:.1f} MB" if whole else "pulling")


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ensure(self, image: str, pull: Pull, platform: str | None, on_progress: Progress) -> ImageFacts:
        """Returns the image's facts once it is local, pulled as the policy says.

        Raises: ImageUnavailable, EngineUnavailable.
        """
        found = None if pull == "always" else await self._engine.inspect_image(image)
        if found is not None and platform is not None and not fits(found, platform):
            found = None
        if found is None and pull == "never":
            raise _unavailable(
                f"the image {image!r}{_for(platform)} is not on this machine, and the job says pull: never",
                f"docker pull {image}",
            )
        if found is None:
            await self.pull(image, platform, on_progress)
            found = await self._engine.inspect_image(image)
            if found is None:
                raise _unavailable(
                    f"the image {image!r} was pulled and is not there", "pull it by hand and look"
                )
        if platform is None:
            await self._check_architecture(image, found)
        return facts(found, image)

    async def pull(self, image: str, platform: str | None, on_progress: Progress) -> None:
        """Pulls one tag, `latest` where none is named, with the user's own registry credentials.

        Raises: ImageUnavailable: the registry refused, did not answer, or went silent. EngineUnavailable.
        """
        repository, tag = parse_repository_tag(image)
        params = {"fromImage": repository, "tag": tag or "latest"}
        if platform is not None:
            params["platform"] = platform
        credentials = await self._engine.credentials(repository)
        headers = {} if credentials is None else {"X-Registry-Auth": credentials}
        progress = PullProgress(on_progress)
        try:
            async for message in self._messages("/images/create", params, headers, b""):
                if message.error:
                    raise _pull_failed(image, message.error)
                detail = message.progress or _ProgressDetail()
                progress.note(message.status, message.id, detail.current, detail.total)
        except (Refusal, Trouble) as error:
            raise _pull_failed(image, error.message) from error
        except Silent as error:
            stall_s = self._engine.timeouts.stall_s
            raise _pull_failed(image, f"it stalled: nothing came for {stall_s:g} s") from error

    async def ensure_sidecar(self, image: str, say: Progress = lambda text: None) -> None:
        """Returns once the sidecar image is local and, where it was built from this code before, up to date.

        Raises: ImageUnavailable, with what to do. EngineUnavailable.
        """
        found = await self._engine.inspect_image(image)
        built_here = found is not None and sidecar_context.DIGEST_LABEL in _labels(found)
        if found is not None and not built_here:
            return
        digest = await asyncio.to_thread(sidecar_context.source_digest)
        if found is not None and _labels(found)[sidecar_context.DIGEST_LABEL] == digest:
            return
        if found is None and "/" in image and await self._pulled(image, SIDECAR_PULL_S, say):
            return
        await self.build_sidecar(image, say)
        if found is not None:
            await self._forget(found.id)

    async def build_sidecar(self, image: str, say: Progress) -> None:
        """Builds the sidecar image from the code that is installed here, and tags it `image`.

        Raises: ImageUnavailable, with what to do. EngineUnavailable.
        """
        base, python = await self._base(say)
        say(f"building {image} on {base}")
        context = await asyncio.to_thread(
            sidecar_context.make, base, python, (await self._engine.version()).arch or "amd64"
        )
        await self._build(image, context)

    async def _forget(self, image_id: str) -> None:
        """Removes the image that lost its tag to a newer one, unless a container still uses it or another tag names it."""
        now = await self._engine.inspect_image(image_id)
        if now is None or now.repo_tags:
            return
        try:
            await self._engine.remove_image(image_id)
        except (Refusal, Trouble):
            pass  # still in use: it stays until somebody prunes

    async def _base(self, say: Progress) -> tuple[str, str]:
        """Returns a local image with a Python in it, and that Python's version (X.Y)."""
        host = f"{sys.version_info.major}.{sys.version_info.minor}"
        for candidate in (f"job-sidecar-base:{host}", "job-sidecar-base:latest"):
            found = await self._engine.inspect_image(candidate)
            if found is not None:
                return candidate, _labels(found).get(sidecar_context.PYTHON_LABEL, host)
        public = f"python:{host}-slim"
        if await self._engine.inspect_image(public) is None and not await self._pulled(
            public, BASE_PULL_S, say
        ):
            raise _unavailable(
                f"the sidecar image is missing and cannot be built: {public} cannot be pulled",
                sidecar_context.REMEDY,
            )
        return public, host

    async def _build(self, image: str, context: Context) -> None:
        params = {
            "t": image,
            "rm": "1",
            "forcerm": "1",
            "networkmode": "none",
            "buildargs": msgspec.json.encode(context.build_args).decode(),
            "labels": msgspec.json.encode({**context.labels, labels.MANAGED_BY: labels.SERVICE}).decode(),
        }
        said: list[str] = []
        try:
            async for message in self._messages(
                "/build", params, {"Content-Type": "application/x-tar"}, context.tar
            ):
                if message.stream.strip():
                    said = [*said[-_TAIL_LINES:], message.stream.strip()]
                if message.error:
                    raise _unavailable(
                        "\n".join([f"the sidecar image cannot be built: {message.error}", *said]),
                        sidecar_context.REMEDY,
                    )
        except (Refusal, Trouble) as error:
            raise _unavailable(
                f"the sidecar image cannot be built: {error.message}", sidecar_context.REMEDY
            ) from error

    async def _pulled(self, image: str, limit_s: float, say: Progress) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self.pull(image, None, say)
        except (ImageUnavailable, TimeoutError):
            return False
        return True

    async def _messages(
        self, path: str, params: dict[str, str], headers: dict[str, str], data: bytes
    ) -> AsyncIterator[_Message]:
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
                    raise EngineUnavailable("the engine's progress is no list of lines")
        if rest.strip():
            yield _decoded(rest)

    async def _check_architecture(self, image: str, found: ImageInspected) -> None:
        version = await self._engine.version()
        if not runs(version.arch, found.architecture) or (found.os and found.os != version.os):
            has, is_ = f"{found.os}/{found.architecture}", f"{version.os}/{version.arch}"
            raise _unavailable(
                f"the image {image!r} is for {has}, the engine is {is_}",
                f'ask for "platform": "{is_}", or for "{has}" where the machine emulates it',
            )


def facts(found: ImageInspected, image: str) -> ImageFacts:
    """Returns an image's facts; the digest is that of the repository it was asked for by, where it has several."""
    digests = found.repo_digests or []
    repository = parse_repository_tag(image)[0]
    mine = [digest for digest in digests if digest.partition("@")[0] == repository] or digests
    return ImageFacts(
        id=found.id,
        digest=mine[0].partition("@")[2] if mine else None,
        user=found.config.user if found.config else "",
    )


def fits(found: ImageInspected, platform: str) -> bool:
    """True where a local image is for `platform` (`os[/architecture[/variant]]`, or an architecture alone)."""
    parts = platform.split("/")
    if len(parts) == 1:
        return parts[0] in (found.os, found.architecture) or normal(parts[0]) == found.architecture
    return parts[0] == found.os and normal(parts[1]) == found.architecture


def runs(engine: str, image: str) -> bool:
    """True where an image of one architecture runs on an engine of another without emulation."""
    one, other = normal(engine), normal(image)
    return not one or not other or one == other or (one, other) in _RUNS_ON


def normal(architecture: str) -> str:
    """Returns the name that images use for an architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i386": "386", "i686": "386"}.get(
        architecture, architecture
    )


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yields a large body bit by bit, so that sending it does not hold the event loop."""
    for at in range(0, len(data), _PIECE_BYTES):
        yield data[at : at + _PIECE_BYTES]


def _decoded(line: bytes) -> _Message:
    try:
        return msgspec.json.decode(line, type=_Message)
    except msgspec.DecodeError as error:
        raise EngineUnavailable(f"the engine's progress cannot be read: {error}") from error


def _labels(found: ImageInspected) -> dict[str, str]:
    return (found.config.labels if found.config else None) or {}


def _for(platform: str | None) -> str:
    return f" for {platform}" if platform else ""


def _unavailable(message: str, remedy: str) -> ImageUnavailable:
    error = ImageUnavailable(message)
    error.remedy = remedy
    return error


def _pull_failed(image: str, why: str) -> ImageUnavailable:
    text = why.lower()
    if "unauthorized" in text or "denied" in text:
        remedy = "check the image's name; for a private one run docker login as the user that runs jobd"
    elif "toomanyrequests" in text:
        remedy = "wait, or run docker login as the user that runs jobd"
    elif "not found" in text or "manifest unknown" in text:
        remedy = "check the image's name and tag"
    else:
        remedy = "check the registry and the network; docker pull shows the same error"
    return _unavailable(f"cannot pull {image!r}: {why}", remedy)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def _main(image: str) -> None:
    engine = Engine(endpoint(os.environ))
    try:
        await Images(engine).ensure_sidecar(image, _say)
    finally:
        await engine.close()


def main() -> int:
    """Makes the sidecar image named by `SIDECAR_IMAGE`; 0 once it is there."""
    image = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SIDECAR_IMAGE", "job-sidecar:latest")
    try:
        asyncio.run(_main(image))
    except EngineError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        return 1
    sys.stderr.write(f"{image} is ready\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
