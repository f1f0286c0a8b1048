"""What an engine call raises.

EngineError
  EngineUnavailable     nothing is known; ask again
    LogUnreadable       the engine answers, and cannot give the log
  ContainerGone         the container does not exist
  ImageUnavailable      the image cannot be had
  RefusedByEngine       the engine understood and refused
  StartFailed           the container did not start
  NoSuchFile            the path does not exist in the workspace
  FilesChanged          the files changed while they were read
"""


class EngineError(Exception):
    """Base of what an engine call raises. `code` is kebab-case, `remedy` says what helps."""

    code = "engine-error"
    remedy = ""

    @property
    def advice(self) -> str:
        """What went wrong and what helps, for the job's owner."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class EngineUnavailable(EngineError):
    """The engine did not answer, or answered that it cannot now. Nothing is known; ask again.

    `answered`: the engine said so itself and may go on saying so, while it serves others. Such an answer is asked for again for a
    bounded time. Where no answer came, the engine as a whole is away, and its return is waited for.
    """

    code = "engine-unavailable"

    def __init__(self, message: str = "", *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class LogUnreadable(EngineUnavailable):
    """The engine answers, and could not give the log. Asking again may help."""

    code = "log-unreadable"


class ContainerGone(EngineError):
    """The container does not exist, and what it has printed is gone with it."""

    code = "container-gone"


class ImageUnavailable(EngineError):
    """The image does not exist, may not be pulled, or is for another platform. Asking again does not help."""

    code = "image-not-found"


class RefusedByEngine(EngineError):
    """The engine understood and refused (for example a runtime that it does not have)."""

    code = "refused-by-engine"


class StartFailed(EngineError):
    """The container did not start. `exit_code`: 127 for a command that does not exist, 126 for one that is not executable; the
    engine's own for all else; None where the engine gave none.
    """

    code = "start-failed"

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoSuchFile(EngineError):
    """The path does not exist in the workspace, or the job's containers are gone."""

    code = "file-not-found"


class FilesChanged(EngineError):
    """The engine did not read the files to their end: they changed meanwhile, or it broke off."""

    code = "files-changed"
    remedy = "copy them again, or when the job has ended"
