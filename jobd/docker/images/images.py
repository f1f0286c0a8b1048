"""Images: pulls a job's image by its pull policy; finds, pulls or builds the sidecar image.

`sidecar_context.py` makes the sidecar image's build context.
`python -m jobd.docker.images.images` makes the sidecar image.

Source: Docker Engine API, ImageCreate, ImageBuild, ImageInspect.
"""

import asyncio
import os
import sys
from dataclasses import dataclass

import msgspec
from docker.utils import parse_repository_tag

from jobd.docker.engine import Engine
from jobd.docker.http.endpoint import endpoint
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.images import sidecar_context
from jobd.docker.images.near_names import near_names
from jobd.docker.images.pulls import OnProgress, Pulls, unavailable
from jobd.docker.images.sidecar_context import Context
from jobd.docker.mapping import labels
from jobd.docker.mapping.models import ImageInspected
from jobd.jobs.port.errors import EngineError, ImageUnavailable
from jobd.jobs.port.model import ImageFacts, Progress
from jobd.wire.job import Pull

_TAIL_LINES = 15
_TAIL_CHARACTERS = 1000
_LONGEST_FACT = 1024
SIDECAR_PULL_S = 120
BASE_PULL_S = 300
_RUNS_ON = {("amd64", "386"), ("arm64", "arm")}


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image on the engine: its facts for `jobs`, and its `USER` (empty: none)."""

    facts: ImageFacts
    user: str


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pulls = Pulls(engine)
        self._making_sidecar = asyncio.Lock()
        self._digest: str | None = None
        """The digest of the sidecar's files, which every job with artifacts needs; None before the first job and after a build."""

    async def ensure(
        self, image: str, pull: Pull, platform: str | None, on_progress: OnProgress
    ) -> LocalImage:
        """Pulls the image if the policy requires it, and returns the local image.

        Raises: ImageUnavailable, EngineUnavailable.
        """
        found = None if pull == "always" else await self._engine.inspect_image(image)
        if found is not None and platform is not None and not fits(found, platform):
            found = None
        if found is None and pull == "never":
            missing = unavailable(
                f"the image {image!r}{_for(platform)} is not on this machine, and the job has pull: never",
                f"docker pull {image}",
            )
            raise await self._with_near_names(missing, image)
        if found is None:
            try:
                await self._pulls.pull(image, platform, on_progress)
            except ImageUnavailable as error:
                raise await self._with_near_names(error, image) from error.__cause__
            found = await self._engine.inspect_image(image)
            if found is None:
                raise unavailable(f"the image {image!r} is missing after its pull", f"docker pull {image}")
        if platform is None:
            await self._check_architecture(image, found)
        return local_image(found, image)

    async def _with_near_names(self, error: ImageUnavailable, image: str) -> ImageUnavailable:
        """Returns the error with the local images that have a similar name in its remedy."""
        try:
            names = near_names(image, await self._engine.image_tags())
        except EngineError:
            return error  # the error counts without them
        if names:
            error.remedy = f"{error.remedy}; similar names on this machine: {', '.join(names)}"
        return error

    async def ensure_sidecar(self, image: str, say: OnProgress = lambda progress: None) -> None:
        """Returns once the sidecar image is local; an image that was built from this code is also up to date.

        Raises: ImageUnavailable, with what to do. EngineUnavailable.
        """
        async with self._making_sidecar:
            await self._ensure_sidecar(image, say)

    async def _ensure_sidecar(self, image: str, say: OnProgress) -> None:
        found = await self._engine.inspect_image(image)
        built_here = found is not None and sidecar_context.DIGEST_LABEL in _labels(found)
        if found is not None and not built_here:
            return
        if self._digest is None:
            self._digest = await asyncio.to_thread(sidecar_context.source_digest)
        if found is not None and _labels(found)[sidecar_context.DIGEST_LABEL] == self._digest:
            return
        self._digest = None
        if found is None and "/" in image and await self._pulled(image, SIDECAR_PULL_S, say):
            return
        await self.build_sidecar(image, say)
        if found is not None:
            await self._forget(found.id)

    async def build_sidecar(self, image: str, say: OnProgress) -> None:
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
        """Removes the image whose tag moved to a newer image, unless a container uses the image or another tag names it."""
        now = await self._engine.inspect_image(image_id)
        if now is None or now.repo_tags:
            return
        try:
            await self._engine.remove_image(image_id)
        except (Refusal, ServerError):
            pass  # the image is in use; docker image prune removes it later

    async def _base(self, say: OnProgress) -> tuple[str, str]:
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
            raise unavailable(
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
        output: list[str] = []
        try:
            async for message in self._pulls.messages(
                "/build", params, {"Content-Type": "application/x-tar"}, context.tar
            ):
                if message.stream.strip():
                    output = [*output[-_TAIL_LINES:], message.stream.strip()[:_TAIL_CHARACTERS]]
                if message.error:
                    raise unavailable(
                        "\n".join([f"the sidecar image cannot be built: {message.error}", *output]),
                        sidecar_context.REMEDY,
                    )
        except (Refusal, ServerError) as error:
            raise unavailable(
                f"the sidecar image cannot be built: {error.message}", sidecar_context.REMEDY
            ) from error

    async def _pulled(self, image: str, limit_s: float, say: OnProgress) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self._pulls.pull(image, None, say)
        except (ImageUnavailable, TimeoutError):
            return False
        return True

    async def _check_architecture(self, image: str, found: ImageInspected) -> None:
        version = await self._engine.version()
        if not runs(version.arch, found.architecture) or (found.os and found.os != version.os):
            has, is_ = f"{found.os}/{found.architecture}", f"{version.os}/{version.arch}"
            raise unavailable(
                f"the image {image!r} is for {has}, the engine is {is_}",
                f'set "platform": "{is_}", or "{has}" if the machine emulates {has}',
            )


def local_image(found: ImageInspected, image: str) -> LocalImage:
    """Returns an image's facts and user; of several digests, the digest of the repository in `image`.

    Raises: ImageUnavailable: a fact is too long for the job's record.
    """
    digests = found.repo_digests or []
    repository = parse_repository_tag(image)[0]
    matching = [digest for digest in digests if digest.partition("@")[0] == repository] or digests
    facts = ImageFacts(id=found.id, digest=matching[0].partition("@")[2] if matching else None)
    user = found.config.user if found.config else ""
    if max(len(facts.id), len(facts.digest or ""), len(user)) > _LONGEST_FACT:
        raise unavailable(
            f"the image {image!r} has a user, a digest or an id of more than {_LONGEST_FACT} characters",
            "rebuild the image with a shorter USER",
        )
    return LocalImage(facts, user)


def fits(found: ImageInspected, platform: str) -> bool:
    """True if a local image is for `platform` (`os[/architecture[/variant]]`, or an architecture alone)."""
    parts = platform.split("/")
    if len(parts) == 1:
        return parts[0] in (found.os, found.architecture) or normal(parts[0]) == found.architecture
    return parts[0] == found.os and normal(parts[1]) == found.architecture


def runs(engine: str, image: str) -> bool:
    """True if the engine's architecture runs the image's architecture without emulation."""
    one, other = normal(engine), normal(image)
    return not one or not other or one == other or (one, other) in _RUNS_ON


def normal(architecture: str) -> str:
    """Returns the name that images use for an architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i386": "386", "i686": "386"}.get(
        architecture, architecture
    )


def _labels(found: ImageInspected) -> dict[str, str]:
    return (found.config.labels if found.config else None) or {}


def _for(platform: str | None) -> str:
    return f" for {platform}" if platform else ""


def _say(progress: Progress) -> None:
    sys.stderr.write(f"{progress if isinstance(progress, str) else progress.text}\n")


async def _main(image: str) -> None:
    engine = Engine(endpoint(os.environ))
    try:
        await Images(engine).ensure_sidecar(image, _say)
    finally:
        await engine.close()


def main() -> int:
    """Makes the sidecar image named by `SIDECAR_IMAGE`; returns the exit code."""
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
