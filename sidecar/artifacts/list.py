"""list: puts the paths below a directory into the artifact's event.

The content is a sorted list of paths relative to the listed directory, with the escapes of `jobd/wire/files/filenames.py`; directories end
with `/`. For a file the list has the file's name. Links are listed and not followed. Excludes are globs (`jobd/wire/files/globs.py`); an
excluded directory is left out with its content, and so is `.ready`. Too many entries fail the artifact, since a cut list would look
complete.
"""

import stat

from jobd.wire.artifact import List
from jobd.wire.files.globs import Glob, glob_of
from sidecar.artifacts.base import Context, Transferred
from sidecar.artifacts.read import check_encoded
from sidecar.entry import parts_of, shown
from sidecar.errors import ArtifactError


def transfer(artifact: List, context: Context) -> Transferred:
    """Returns the list."""
    excludes = _globs(artifact)
    with context.interrupts.time_limit(context.caps.local_s):
        mode = context.workspace.status(artifact.source).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISLNK(mode):  # opening refuses a link
            paths = _below(artifact, excludes, context)
        else:
            name = parts_of(artifact.source)[-1]
            paths = [] if any(glob.matches(name, is_folder=False) for glob in excludes) else [name]
    names = [shown(path) for path in sorted(paths)]
    check_encoded(artifact.source, names, context.caps)
    return Transferred(content=names)


def _below(artifact: List, excludes: list[Glob], context: Context) -> list[str]:
    most = context.caps.list_entries
    paths: list[str] = []
    pending = [""]
    while pending:
        below = pending.pop()
        for entry in context.workspace.entries(f"{artifact.source}/{below}", _scanned_at_most(most)):
            path = f"{below}{entry.name}"
            if any(glob.matches(path, is_folder=entry.is_directory) for glob in excludes):
                continue
            path += "/" if entry.is_directory else ""
            paths.append(path)
            if len(paths) > most:
                raise ArtifactError(
                    f"{shown(artifact.source)}: contains more than {most} entries; use excludes, a subdirectory, or recursive: false"
                )
            if entry.is_directory and artifact.recursive:
                pending.append(path)
    return paths


def _globs(artifact: List) -> list[Glob]:
    globs: list[Glob] = []
    for index, text in enumerate(artifact.excludes):
        try:
            globs.append(glob_of(text))
        except ValueError as error:  # the spec is from an older version, or not from jobd
            raise ArtifactError(f"excludes[{index}] {error}") from None
    return globs


def _scanned_at_most(listed: int) -> int:
    """Returns the limit of entries to read from one directory: excludes may leave out most of them."""
    return 20 * listed
