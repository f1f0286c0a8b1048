"""The frames in which the engine sends stdout and stderr over one connection: a stored log, or live output.

Pure. Source: Docker Engine API, "Stream format" of ContainerAttach.
"""

from collections.abc import Iterator

from jobd.jobs.port.model import StreamName

_FRAME_BYTES = 4 * 1024 * 1024
_HEADER = 8
_STREAMS: dict[int, StreamName] = {0: "stdout", 1: "stdout", 2: "stderr"}
_ENGINE_ERROR = 3


class DamagedLog(ValueError):
    """The bytes are not a log stream, or the engine reports an error in the stream."""


class Frames:
    """Demultiplexes a stream in pieces of any size. Holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def cut(self) -> bool:
        """True if the bytes so far end within a frame."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[StreamName, bytes]]:
        """Yields the contents of the frames that `data` completes. Raises: DamagedLog."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= _HEADER:
            length = int.from_bytes(data[at + 4 : at + _HEADER], "big")
            kind = data[at]
            if length > _FRAME_BYTES or kind > _ENGINE_ERROR or data[at + 1 : at + 4] != b"\0\0\0":
                raise DamagedLog("the stream has an invalid frame")
            end = at + _HEADER + length
            if end > size:
                break
            entry = data[at + _HEADER : end]
            if kind == _ENGINE_ERROR:
                raise DamagedLog(entry.decode("utf-8", "replace").strip() or "the engine cannot read the log")
            at = end
            yield _STREAMS[kind], entry
        self._rest = data[at:]
