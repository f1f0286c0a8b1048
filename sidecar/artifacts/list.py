"""list: the names below a directory into the artifact's event.

The content is a list of texts: paths relative to the listed directory, sorted, directories ending with `/`, each in
the escape of `jobd/wire/filenames.py`. Of a file it is the file's own name. Links are named and not
followed. What an exclude means is in `jobd/wire/globs.py`; a directory that it matches is left out with all that is
in it. The sidecar's own `.ready` is never listed. Too many entries fail the artifact: a list that is cut would look complete.
"""

import stat

from jobd.wire.artifact import List
from jobd.wire.globs import Glob, glob_of
from sidecar.artifacts.base import Context, Moved
from sidecar.artifacts.read import check_encoded
from sidecar.entry import parts_of, shown
from sidecar.errors import ArtifactError


def move(artifact: List, context: Context) -> Moved:
    """Returns the list."""
    excludes = _globs(artifact)
    with context.interrupts.time_limit(context.caps.local_s):
        mode = context.workspace.look(artifact.source).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISLNK(mode):  # a link is refused where it would be entered
            found = _below(artifact, excludes, context)
        else:
            name = parts_of(artifact.source)[-1]
            found = [] if any(glob.matches(name, is_folder=False) for glob in excludes) else [name]
    names = [shown(path) for path in sorted(found)]
    check_encoded(artifact.source, names, context.caps)
    return Moved(content=names)


def _below(artifact: List, excludes: list[Glob], context: Context) -> list[str]:
    most = context.caps.list_entries
    found: list[str] = []
    pending = [""]
    while pending:
        below = pending.pop()
        for entry in context.workspace.entries(f"{artifact.source}/{below}", _scanned_at_most(most)):
            path = f"{below}{entry.name}"
            if any(glob.matches(path, is_folder=entry.is_directory) for glob in excludes):
                continue
            path += "/" if entry.is_directory else ""
            found.append(path)
            if len(found) > most:
                raise ArtifactError(
                    f"{shown(artifact.source)}: holds more than {most} entries; use excludes, a folder below, or recursive: false"
                )
            if entry.is_directory and artifact.recursive:
                pending.append(path)
    return found


def _globs(artifact: List) -> list[Glob]:
    globs: list[Glob] = []
    for index, text in enumerate(artifact.excludes):
        try:
            globs.append(glob_of(text))
        except ValueError as error:  # from a spec of an older version, or by hand
            raise ArtifactError(f"excludes[{index}] {error}") from None
    return globs


def _scanned_at_most(listed: int) -> int:
    """Returns how many names of one directory are looked at: excludes may leave most of them out."""
    return 20 * listed
