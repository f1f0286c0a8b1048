"""The layout of a table in a terminal's width: which columns stay, and which texts are shortened. Pure.

The first column, the id, is never cut and never dropped. An id longer than `LONGEST_ID` of the width gets a line of its own, above
the rest of its row. Where a row does not fit, the texts of the elastic columns are shortened, down to `SHORTEST_TEXT`; where that is
not enough, whole columns are dropped in the order of `drop`. Without a terminal the width is None, and the table stays whole.
"""

from collections.abc import Sequence

from jobctl.value import Value

GAP = 2
SHORTEST_TEXT = 12
LONGEST_ID = 0.5
"""The share of the width up to which an id shares a line with the rest of its row."""

Rows = Sequence[Sequence[str]]
Line = list[tuple[str, str]]
"""Printed cells, each with the name of its column; all but the last are padded."""


class Table(Value):
    """The columns of a table in their order. `drop`: columns that may be dropped, the least useful first. `elastic`: columns whose
    texts may be shortened. `folded`: the last column takes several lines instead.
    """

    columns: tuple[str, ...]
    drop: tuple[str, ...] = ()
    elastic: frozenset[str] = frozenset()
    folded: bool = False

    def only(self, columns: tuple[str, ...]) -> "Table":
        """Returns the same table with only `columns`."""
        drop = tuple(name for name in self.drop if name in columns)
        return Table(columns, drop, self.elastic & set(columns), self.folded)


class Layout:
    """Lays out rows that arrive in parts: the first part selects the columns, later parts may widen them."""

    def __init__(self, table: Table, width: int | None) -> None:
        self._table = table
        self._width = width
        self._shown: tuple[int, ...] = ()
        self._widths: dict[int, int] = {}

    def lines(self, rows: Rows) -> list[list[Line]]:
        """Returns the lines of each row: usually one, more for a long id or a folded text. The first call also returns the header."""
        table = self._table
        first = not self._widths
        if first and self._width is not None:
            self._shown, self._widths = _fit(table, rows, self._width)
        elif first:
            self._shown = tuple(range(len(table.columns)))
            self._widths = {i: _widest(table, rows, i) for i in self._shown}
        else:
            self._widen(rows)
        heads = [[_line(table, table.columns, self._shown, self._widths)]] if first else []
        return heads + [_row(table, row, self._shown, self._widths, self._width) for row in rows]

    def _widen(self, rows: Rows) -> None:
        on_terminal = self._width is not None
        for i in self._shown:
            fixed = on_terminal and (i == 0 or self._table.columns[i] in self._table.elastic)
            if not fixed:
                self._widths[i] = max(self._widths[i], _widest(self._table, rows, i))


def cell_width(text: str) -> int:
    """Returns the width of a text in columns of a terminal.

    Source: Unicode Standard Annex 11.
    """
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shortened(text: str, width: int) -> str:
    """Returns a text cut to `width` columns, ending with an ellipsis where it was cut."""
    if cell_width(text) <= width:
        return text
    kept, room = "", max(0, width - 1)
    for char in text:
        size = cell_width(char)
        if size > room:
            break
        kept, room = kept + char, room - size
    return kept + "…"


def folded(text: str, width: int) -> list[str]:
    """Returns a text as lines of at most `width` columns, broken at blanks where possible."""
    lines: list[str] = []
    rest = text
    while cell_width(rest) > width:
        cut = _cut(rest, width)
        blank = rest.rfind(" ", 1, cut + 1)
        end = blank if blank > 0 else cut
        lines.append(rest[:end])
        rest = rest[end:].lstrip(" ")
    return [*lines, rest]


def _cut(text: str, width: int) -> int:
    taken = 0
    for index, char in enumerate(text):
        taken += cell_width(char)
        if taken > width:
            return max(1, index)
    return len(text)


def _widest(table: Table, rows: Rows, index: int, longest: int | None = None) -> int:
    sizes = [cell_width(row[index]) for row in rows]
    return max([cell_width(table.columns[index]), *(n for n in sizes if longest is None or n <= longest)])


def _fit(table: Table, rows: Rows, width: int) -> tuple[tuple[int, ...], dict[int, int]]:
    """Returns the columns that are kept and their widths."""
    names = table.columns
    longest_id = max(SHORTEST_TEXT, int(width * LONGEST_ID))
    natural = {i: _widest(table, rows, i, longest_id if i == 0 else None) for i in range(len(names))}
    dropped: set[str] = set()
    for gone in (None, *table.drop):
        dropped |= {gone} if gone else set()
        shown = [i for i, name in enumerate(names) if name not in dropped]
        widths = {i: natural[i] for i in shown}
        over = sum(widths.values()) + GAP * (len(shown) - 1) - width
        if over > 0 and table.folded:
            least = {shown[-1]: SHORTEST_TEXT}
        else:
            least = {i: max(SHORTEST_TEXT, cell_width(names[i])) for i in shown if names[i] in table.elastic}
        for i in reversed(shown):  # the last columns are shortened first
            if over > 0 and i in least and widths[i] > least[i]:
                taken = min(over, widths[i] - least[i])
                widths[i] -= taken
                over -= taken
        if over <= 0:
            break
    return tuple(shown), widths


def _row(
    table: Table, row: Sequence[str], shown: Sequence[int], widths: dict[int, int], width: int | None
) -> list[Line]:
    lines: list[Line] = []
    if width is None:
        return [_line(table, row, shown, widths)]
    cells = list(row)
    if cell_width(cells[0]) > widths[0]:
        if len(shown) == 1:
            return [[(cells[0], table.columns[0])]]
        lines.append([(cells[0], table.columns[0])])
        cells[0] = ""
    rest: list[str] = []
    if table.folded:
        cells[shown[-1]], *rest = folded(cells[shown[-1]], max(1, widths[shown[-1]]))
    lines.append(_line(table, cells, shown, widths))
    indent = sum(widths[i] + GAP for i in shown[:-1])
    return lines + [[(" " * indent + text, table.columns[-1])] for text in rest]


def _line(table: Table, row: Sequence[str], shown: Sequence[int], widths: dict[int, int]) -> Line:
    line: Line = []
    for i in shown:
        text = row[i] if i == 0 else shortened(row[i], widths[i])
        padding = " " * (widths[i] - cell_width(text) + GAP)
        line.append((text + padding, table.columns[i]))
    text, name = line[-1]
    line[-1] = (text.rstrip(" "), name)
    return line
