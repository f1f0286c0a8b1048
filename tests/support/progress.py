"""Collects the progress of one `prepare`."""

from jobd.jobs.port import model
from jobd.jobs.port.model import ImageFacts, ImagePull


class Progress:
    """Implements `jobd.jobs.port.protocols.PreparationProgress`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pulls: list[ImagePull] = []
        self.images: list[ImageFacts] = []

    def report(self, progress: model.Progress) -> None:
        self.texts.append(progress if isinstance(progress, str) else progress.text)
        if isinstance(progress, ImagePull):
            self.pulls.append(progress)

    async def image_ready(self, image: ImageFacts) -> None:
        self.images.append(image)
