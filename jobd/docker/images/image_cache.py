"""What the engine reports of local images, kept while nothing about images changes.

Owns the subscription to the engine's image events: any of them empties the cache, and without the subscription nothing is kept.

Source: Docker Engine API, SystemEvents (type `image`), ImageInspect.
"""

import asyncio

import msgspec

from jobd.docker.engine import Engine
from jobd.docker.engine_time import engine_time
from jobd.docker.http.errors import Refusal
from jobd.docker.mapping.models import ImageInspected
from jobd.jobs.port.errors import EngineUnavailable

MOST_IMAGES = 64
LARGEST_IMAGE = 16 * 1024
"""In bytes of JSON: an image with more labels is inspected each time."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


class ImageCache:
    """The images of one engine by name. Nothing runs before `follow`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._images: dict[str, ImageInspected] = {}
        self._is_following = False
        self._changes = 0
        self._follower: asyncio.Task[None] | None = None

    async def inspect(self, name: str) -> ImageInspected | None:
        """Returns the local image; None if there is none. Raises: EngineUnavailable."""
        known = self._images.get(name)
        if known is not None:
            return known
        changes = self._changes
        found = await self._engine.inspect_image(name)
        if found is not None and self._is_following and changes == self._changes:
            if len(self._images) >= MOST_IMAGES:
                self._images.clear()
            if len(msgspec.json.encode(found)) <= LARGEST_IMAGE:
                self._images[name] = found
        return found

    def drop(self) -> None:
        """Forgets all images: this jobd has changed one, and the event may come later."""
        self._changes += 1
        self._images.clear()

    def follow(self) -> None:
        """Keeps answers from now on. Must be called inside the running event loop."""
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow(), name="image events")

    async def close(self) -> None:
        """Ends the subscription."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    async def _follow(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                since = await engine_time(self._engine) - 1
                params = {"filters": '{"type":["image"]}', "since": str(since)}
                path = await self._engine.path("/events")
                async with self._engine.streams.open("GET", path, params=params, silence_s=None) as body:
                    self._changed(is_following=True)
                    pause_s = _FIRST_PAUSE_S
                    async for _ in body.chunks():
                        self._changed(is_following=True)
            except (EngineUnavailable, Refusal):
                pass  # images are inspected each time meanwhile
            finally:
                self._changed(is_following=False)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _changed(self, *, is_following: bool) -> None:
        self._is_following = is_following
        self.drop()
