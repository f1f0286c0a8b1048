"""Paths that are relative to a folder and stay inside it: one rule for job specs, archives, uploads and the workspace.

A path is names with `/` between them. Empty names and `.` mean nothing: `./a//b/` is `a/b`, and `.` is the folder itself. Owns when a path,
or a symbolic link, leads out. How long a path may be, and whether a link is followed at all, is the caller's to say.

Pure. Source: path_resolution(7).
"""

from typing import Literal

Parts = tuple[str, ...]
PathFlaw = Literal["absolute", "nul", "parent"]
LinkFlaw = Literal["unusable", "absolute", "out", "parent"]


def path_flaw(path: str) -> PathFlaw | None:
    """Returns why `path` may lead out of the folder, or None where the path stays inside. `parent`: the path holds `..`."""
    if path.startswith("/"):
        return "absolute"
    if "\0" in path:
        return "nul"
    return "parent" if ".." in path.split("/") else None


def path_parts(path: str) -> Parts:
    """Returns the names in a path; the folder itself is the empty tuple."""
    return tuple(name for name in path.split("/") if name not in ("", "."))


def link_flaw(place: Parts, target: str) -> LinkFlaw | None:
    """Returns why a symbolic link that stands at `place` may lead out of the folder, or None where the link stays inside.

    A target begins with as many `..` as lead to the folder at most (`out`), and holds none after that (`parent`): a later `..` would climb
    from wherever another link leads.
    """
    if not target or "\0" in target:
        return "unusable"
    if target.startswith("/"):
        return "absolute"
    names = path_parts(target)
    up = next((index for index, name in enumerate(names) if name != ".."), len(names))
    if up > len(place) - 1:
        return "out"
    return "parent" if ".." in names[up:] else None
