"""list: the names below a directory into the artifact's event.

The content is a list of texts: paths relative to the listed directory, sorted, directories ending with `/`, each in
the escape of `jobd/wire/filenames.py`. Links are named and not
followed. An exclude is a shell glob on a name alone (`*.tmp`, `node_modules`); a directory that it matches is left out with all that is
in it. The sidecar's own `.ready` is never listed. Too many entries fail the artifact: a list that is cut would look complete.
"""

from fnmatch import fnmatchcase

from jobd.wire.artifact import List
from sidecar.artifacts.base import Context, Moved
from sidecar.artifacts.read import check_encoded
from sidecar.entry import shown
from sidecar.errors import ArtifactError


def move(artifact: List, context: Context) -> Moved:
    """Returns the list."""
    most = context.caps.list_entries
    found: list[str] = []
    with context.interrupts.time_limit(context.caps.local_s):
        pending = [""]
        while pending:
            below = pending.pop()
            for entry in context.workspace.entries(f"{artifact.source}/{below}", _scanned_at_most(most)):
                if any(fnmatchcase(entry.name, glob) for glob in artifact.excludes):
                    continue
                path = f"{below}{entry.name}" + ("/" if entry.is_directory else "")
                found.append(path)
                if len(found) > most:
                    raise ArtifactError(
                        f"{shown(artifact.source)}: holds more than {most} entries; use excludes, a folder below, or recursive: false"
                    )
                if entry.is_directory and artifact.recursive:
                    pending.append(path)
    names = [shown(path) for path in sorted(found)]
    check_encoded(artifact.source, names, context.caps)
    return Moved(content=names)


def _scanned_at_most(listed: int) -> int:
    """Returns how many names of one directory are looked at: excludes may leave most of them out."""
    return 20 * listed
