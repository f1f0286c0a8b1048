"""Collects the progress of one `prepare`."""

from jobd.jobs.port.model import ImageFacts


class Progress:
    """Implements `jobd.jobs.port.protocols.PreparationProgress`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.images: list[ImageFacts] = []

    def report(self, text: str) -> None:
        self.texts.append(text)

    async def image_ready(self, image: ImageFacts) -> None:
        self.images.append(image)
