"""What is kept of local images, and when it is forgotten."""

import asyncio
from typing import Any

import pytest

from jobd.docker.images import image_cache
from jobd.docker.images.image_cache import LARGEST_IMAGE, MOST_IMAGES, ImageCache
from jobd.docker.mapping.models import ImageConfig, ImageInspected


class Engine:
    """Counts inspections; an answer may be held back."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.labels: dict[str, str] = {}
        self.missing = False
        self.hold: asyncio.Event | None = None

    async def inspect_image(self, name: str) -> ImageInspected | None:
        self.asked.append(name)
        if self.hold is not None:
            await self.hold.wait()
        return None if self.missing else ImageInspected(id=name, config=ImageConfig(labels=self.labels))


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def cache(engine: Any) -> ImageCache:
    made = ImageCache(engine)
    made._changed(is_following=True)
    return made


async def test_without_the_events_nothing_is_kept(engine: Any) -> None:
    cache = ImageCache(engine)
    for _ in range(3):
        assert await cache.inspect("a") is not None
    assert len(engine.asked) == 3


async def test_an_image_is_inspected_once_until_something_changes(cache: ImageCache, engine: Engine) -> None:
    for _ in range(3):
        await cache.inspect("a")
    assert engine.asked == ["a"]
    cache._changed(is_following=True)
    await cache.inspect("a")
    assert engine.asked == ["a", "a"]
    cache.drop()
    await cache.inspect("a")
    assert engine.asked == ["a", "a", "a"]


async def test_a_missing_image_is_looked_for_each_time(cache: ImageCache, engine: Engine) -> None:
    engine.missing = True
    for _ in range(2):
        assert await cache.inspect("a") is None
    assert engine.asked == ["a", "a"]


async def test_an_answer_from_before_a_change_is_not_kept(cache: ImageCache, engine: Engine) -> None:
    engine.hold = asyncio.Event()
    asking = asyncio.create_task(cache.inspect("a"))
    await asyncio.sleep(0)
    cache._changed(is_following=True)
    engine.hold.set()
    assert await asking is not None
    await cache.inspect("a")
    assert engine.asked == ["a", "a"]


async def test_the_cache_is_bounded_in_number_and_bytes(
    cache: ImageCache, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3 * MOST_IMAGES):
        await cache.inspect(f"image-{number}")
        assert len(cache._images) <= MOST_IMAGES
    engine.labels = {"a": "x" * LARGEST_IMAGE}
    await cache.inspect("large")
    assert "large" not in cache._images
    monkeypatch.setattr(image_cache, "MOST_IMAGES", 0)
    await cache.inspect("another")
    assert len(cache._images) <= 1
