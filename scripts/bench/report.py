"""The results as a table for people and as JSON. Pure."""

import dataclasses
from collections.abc import Iterable

from scripts.bench.pairs import Result, Row, Skipped, Spread, spread
from scripts.bench.selection import in_order

HEAD = ("", "what", "ours (quartiles)", "the other (quartiles)", "ratio", "budget", "", "samples", "")


def table(rows: Iterable[Row]) -> str:
    """Returns the results as lines; the skipped rows follow, each with its reason."""
    rows = list(rows)
    cells = [HEAD, *(_cells(row) for row in rows if isinstance(row, Result))]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    lines += [f"{row.name}: skipped, {row.why}" for row in rows if isinstance(row, Skipped)]
    return "\n".join(lines)


def as_json(rows: Iterable[Row]) -> dict[str, object]:
    """Returns the results with all samples, and the skipped rows."""
    rows = list(rows)
    return {
        "results": [_object(row) for row in rows if isinstance(row, Result)],
        "skipped": [dataclasses.asdict(row) for row in rows if isinstance(row, Skipped)],
    }


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Returns the rows in the order of their names."""
    return sorted(rows, key=lambda row: in_order(row.name if isinstance(row, Skipped) else row.budget.name))


def _cells(result: Result) -> tuple[str, ...]:
    budget, ratio = result.budget, result.ratio
    sign = "<=" if budget.kind == "at-most" else ">="
    unit = "x" if budget.against else f" {budget.unit}"
    missed = "OVER" if budget.kind == "at-most" else "UNDER"
    return (
        budget.name,
        f"{budget.what} / {budget.against}" if budget.against else budget.what,
        _figure(spread(result.ours), budget.unit, len(result.ours)),
        _figure(spread(result.theirs), budget.unit, len(result.theirs)) if result.theirs else "",
        f"{ratio.median:.2f}x" if ratio else "",
        f"{sign} {budget.bound:g}{unit}" if budget.bound is not None else "",
        "" if result.within is None else "ok" if result.within else missed,
        str(len(result.ours)),
        result.note,
    )


def _figure(found: Spread, unit: str, samples: int) -> str:
    text = f"{_number(found.median)} {unit}"
    return text if samples == 1 else f"{text} ({_number(found.low)}-{_number(found.high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _object(result: Result) -> dict[str, object]:
    budget, ratio = result.budget, result.ratio
    return {
        "name": budget.name,
        "what": budget.what,
        "against": budget.against or None,
        "unit": budget.unit,
        "ours": {**dataclasses.asdict(spread(result.ours)), "samples": result.ours},
        "theirs": {**dataclasses.asdict(spread(result.theirs)), "samples": result.theirs}
        if result.theirs
        else None,
        "ratio": dataclasses.asdict(ratio) if ratio else None,
        "budget": None if budget.bound is None else {budget.kind: budget.bound},
        "within": result.within,
        "note": result.note or None,
    }
