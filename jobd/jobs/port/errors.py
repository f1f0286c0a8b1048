"""What an engine call raises.

EngineError
  EngineUnavailable     the result is unknown; repeat the call
    LogUnreadable       the engine answers, but does not return the log
  ContainerGone         the container does not exist
  ImageUnavailable      the image cannot be pulled
  WorkspaceGone         the workspace of an earlier job does not exist
  RefusedByEngine       the engine refused the request
  StartFailed           the container did not start
  NoSuchFile            the path does not exist in the workspace
    FilesNotKept        the engine keeps no files after the worker's end
  FilesChanged          the files changed while they were read
"""


class EngineError(Exception):
    """Base of all errors of engine calls. `code` is kebab-case, `remedy` says what helps."""

    code = "engine-error"
    remedy = ""

    @property
    def advice(self) -> str:
        """The error and its remedy, for the job's owner."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class EngineUnavailable(EngineError):
    """The engine did not answer, or answered with an error that may pass. The result is unknown; repeat the call.

    `answered`: the engine answered with the error and may repeat that answer while serving other calls; jobd retries the call for a
    bounded time. Without an answer the whole engine is unavailable, and jobd waits for the engine without a limit.
    `unsent`: there was no connection, so that the engine has not got the request, and never will.
    """

    code = "engine-unavailable"

    def __init__(self, message: str = "", *, answered: bool = False, unsent: bool = False) -> None:
        super().__init__(message)
        self.answered = answered
        self.unsent = unsent


class LogUnreadable(EngineUnavailable):
    """The engine answers, but did not return the log. Repeating the call may help."""

    code = "log-unreadable"


class ContainerGone(EngineError):
    """The container does not exist, nor does its log."""

    code = "container-gone"


class ImageUnavailable(EngineError):
    """The image does not exist, may not be pulled, or is for another platform. Repeating the call does not help."""

    code = "image-not-found"


class WorkspaceGone(EngineError):
    """The workspace of an earlier job, which this job's inputs need, does not exist. Repeating the call does not help."""

    code = "input-failed"


class RefusedByEngine(EngineError):
    """The engine refused the request (for example an unknown runtime)."""

    code = "refused-by-engine"


class StartFailed(EngineError):
    """The container did not start. `exit_code`: 127 for a command that does not exist, 126 for a command that is not executable;
    the engine's own code otherwise; None if the engine gave no code.
    """

    code = "start-failed"

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoSuchFile(EngineError):
    """The path does not exist in the workspace, or the job's containers are removed."""

    code = "file-not-found"


class FilesNotKept(NoSuchFile):
    """The worker has ended, and the engine keeps no files after a worker's end."""

    code = "files-not-kept"


class FilesChanged(EngineError):
    """The engine did not read the files to their end: the files changed meanwhile, or the engine broke off."""

    code = "files-changed"
    remedy = "copy them again, or when the job has ended"
