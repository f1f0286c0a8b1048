"""What a folder holds, as the end of an error about an output that does not exist. Pure.

The names that are most similar to the missing one come first. jobd and the sidecar both say it, of outputs that they look for.
"""

from collections.abc import Iterable

MOST_NAMES = 6
LONGEST_NAME = 80
MOST_COMPARED = 1000


def folder_text(folder: str, names: Iterable[str], missing: str, *, complete: bool = True) -> str:
    """Returns what the folder holds: `the folder out holds a.txt, b/ and 3 more`. `folder` and `names` are readable texts, the workspace is
    "", the names of folders end with `/`; `complete`: False if the folder may hold more.
    """
    where = f"the folder {folder}" if folder else "the workspace"
    known = sorted(set(names))
    if not known:
        return f"{where} is empty" if complete else ""
    shown = [*_similar(missing, known), *known]
    first = list(dict.fromkeys(shown))[:MOST_NAMES]
    more = len(known) - len(first)
    text = ", ".join(map(_short, first))
    if not complete:
        return f"{where} holds {text} and others"
    return f"{where} holds {text}" + (f" and {more} more" if more else "")


def _similar(missing: str, names: list[str]) -> list[str]:
    import difflib  # only here: the sidecar's start delays each job with artifacts

    plain = {name.removesuffix("/"): name for name in names[:MOST_COMPARED]}
    return [plain[name] for name in difflib.get_close_matches(missing, plain, n=3)]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."
