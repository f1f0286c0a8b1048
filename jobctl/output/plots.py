"""Small plots of numbers in one line of text: columns over time, and bars. Pure.

A terminal without UTF-8 gets plain characters.
"""

from collections.abc import Sequence

COLUMNS = "▁▂▃▄▅▆▇█"
PLAIN_COLUMNS = ".:-=+*#@"
FULL, EMPTY = "█", "░"
PLAIN_FULL, PLAIN_EMPTY = "#", "."


def columns(values: Sequence[int], most: int, *, plain: bool) -> str:
    """Returns one column for each value, as high as its share of `most`; a blank for 0."""
    shapes = PLAIN_COLUMNS if plain else COLUMNS
    last = len(shapes) - 1
    return "".join(" " if value <= 0 else shapes[min(last, value * last // max(most, 1))] for value in values)


def bar(share: float, width: int, *, plain: bool) -> str:
    """Returns a bar that is filled to a share of 0 to 1; a share above 0 fills at least one place."""
    full, empty = (PLAIN_FULL, PLAIN_EMPTY) if plain else (FULL, EMPTY)
    filled = min(width, max(round(share * width), 1 if share > 0 else 0))
    return full * filled + empty * (width - filled)


def joined(values: Sequence[int], width: int) -> list[int]:
    """Returns at most `width` sums of neighbours, in order."""
    if not values or width <= 0:
        return []
    size = -(-len(values) // width)
    return [sum(values[start : start + size]) for start in range(0, len(values), size)]
