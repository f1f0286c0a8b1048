"""Reads the files of a job's workspace as tar: from the engine, or from jobd's copy of a kept output.

Owns which of the two has the files, and the errors of a path. Knows no rows and no supervisors.
"""

from collections.abc import AsyncIterator

from jobd.errors import InvalidRequest, NotFound
from jobd.jobs.admission.earlier_jobs import no_workspace
from jobd.jobs.port.errors import FilesNotKept, NoSuchFile
from jobd.jobs.port.protocols import Files
from jobd.jobs.record.record import Record
from jobd.jobs.retention.kept_outputs import KeptOutputs
from jobd.jobs.run.output_collection import container_path
from jobd.wire.files.filenames import unescape
from jobd.wire.job import JobSpec
from jobd.wire.validation.names import path_problem


class JobFiles:
    """The files of jobs."""

    def __init__(self, engine: Files, outputs: KeptOutputs) -> None:
        self._engine = engine
        self._outputs = outputs

    async def open(self, record: Record, spec: JobSpec, path: str) -> AsyncIterator[bytes]:
        """Streams a file or folder; see `JobService.open_files`. Raises NotFound."""
        if (kept := await self._kept(record, spec, path)) is not None:
            return kept  # the same bytes as in the workspace: nothing changes it after the job's end
        if record.worker_id is None or record.removal is not None:
            raise NotFound(no_workspace(record), code="no-workspace")
        stream = self._engine.open_tar(record.workspace_ref, container_path(spec, path))
        try:
            first = await anext(stream)
        except StopAsyncIteration:
            first = b""
        except FilesNotKept as error:
            raise NotFound(str(error), code=error.code) from None
        except NoSuchFile as error:
            raise NotFound(str(error), code=error.code, field="path") from None
        return _chain(first, stream)

    async def _kept(self, record: Record, spec: JobSpec, path: str) -> AsyncIterator[bytes] | None:
        number = next((n for n, output in enumerate(spec.outputs) if output.path == path), None)
        state = record.outputs.get(path)
        if number is None or state is None or state.status != "kept":
            return None
        return await self._outputs.read(record.uid, number)


def check_path(path: str) -> None:
    """Raises InvalidRequest: the path leaves the workspace, or is no UTF-8."""
    if why := path_problem(path):
        raise InvalidRequest(f"path {why}", field="path")
    try:
        unescape(path).decode()
    except UnicodeDecodeError:
        # The engine accepts such a path, and then sends an empty archive.
        why = "names bytes that are no UTF-8, which the engine loses; fetch the folder that contains the file"
        raise InvalidRequest(f"path {why}", field="path") from None


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    del first  # frees the memory of the sent bytes
    async for chunk in rest:
        yield chunk
