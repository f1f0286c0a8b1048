"""The command that a misspelt name probably means. Pure.

A command that ends or removes jobs is suggested only for one wrong letter in a name of four or more letters: a command of another
tool, such as rmi, must not lead to a destructive command.
"""

from collections.abc import Collection, Iterable

CAREFUL_LENGTH = 4
CAREFUL_DISTANCE = 1


def nearest(typed: str, names: Iterable[str], destructive: Collection[str]) -> str | None:
    """Returns the name that is most similar to `typed`, or None: at most one edit in a short name, two in a name of five letters or
    more. Of equally similar names, one that is not destructive comes first, then the first of `names`.
    """
    best_key: tuple[int, bool] | None = None
    best = None
    for name in names:
        careful = name in destructive
        far = distance(typed, name)
        if far > allowed(name, careful=careful):
            continue
        if best_key is None or (far, careful) < best_key:
            best_key, best = (far, careful), name
    return best


def allowed(name: str, *, careful: bool) -> int:
    """Returns the largest number of edits between a name and a word that counts as the name."""
    if careful:
        return CAREFUL_DISTANCE if len(name) >= CAREFUL_LENGTH else 0
    return 2 if len(name) >= 5 else 1


def distance(a: str, b: str) -> int:
    """Returns how many slips make one word into the other: a letter too many, too few or wrong, or two neighbours swapped.

    The distance is the one that is known as optimal string alignment.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
