"""What the nearest existing folder of a missing path holds, for the error of an artifact. Reads names only, and follows no link."""

from jobd.wire.files.folder_text import folder_text
from sidecar.entry import Entry, parts_of, shown
from sidecar.errors import ArtifactError, Missing
from sidecar.workspace.paths import Workspace

MOST_ENTRIES = 1000


def held_instead(workspace: Workspace, path: str) -> str:
    """Returns the text; "" where `path` exists, or where no folder can be read. Never raises ArtifactError."""
    try:
        parts = parts_of(path)
        if not parts or _exists(workspace, path):
            return ""
        for depth in range(len(parts) - 1, -1, -1):
            folder = "/".join(parts[:depth])
            try:
                entries = workspace.entries(folder or ".", MOST_ENTRIES)
            except Missing:
                continue
            return folder_text(shown(folder), map(_name, entries), shown(parts[depth]))
    except ArtifactError:
        pass
    return ""


def _exists(workspace: Workspace, path: str) -> bool:
    try:
        workspace.status(path)
    except Missing:
        return False
    return True


def _name(entry: Entry) -> str:
    return shown(entry.name) + ("/" if entry.is_directory else "")
