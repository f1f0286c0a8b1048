import json

from scripts.bench.pairs import Budget, Result, Row, Skipped
from scripts.bench.report import as_json, ordered, table

ROWS: list[Row] = [
    Result(Budget("P1", "one", "other", 0.8), [300.0, 310.0, 320.0], [310.0, 310.0, 310.0]),
    Result(Budget("P4", "one", "other", 0.7, "at-least", "events/s"), [10_000.4], [20_000.0], note="rough"),
    Result(Budget("P9-idle", "memory", bound=80, unit="MB"), [62.34]),
    Result(Budget("P3-true", "shown"), [7.126]),
    Skipped("P1-off", "this jobd has no setting"),
]


def test_the_table_has_a_line_for_each_row() -> None:
    head, *lines = [" ".join(line.split()) for line in table(ROWS).splitlines()]
    assert head == "what ours (quartiles) the other (quartiles) ratio budget samples"
    assert lines == [
        "P1 one / other 310.0 ms (305.0-315.0) 310.0 ms (310.0-310.0) 1.00x <= 0.8x OVER 3",
        "P4 one / other 10,000 events/s 20,000 events/s 0.50x >= 0.7x UNDER 1 rough",
        "P9-idle memory 62.3 MB <= 80 MB ok 1",
        "P3-true shown 7.13 ms 1",
        "P1-off: skipped, this jobd has no setting",
    ]


def test_the_columns_are_aligned() -> None:
    lines = table(ROWS).splitlines()[:-1]
    assert (
        len(
            {line.find(word) for line, word in zip(lines[1:], ("one", "one", "memory", "shown"), strict=True)}
        )
        == 1
    )


def test_the_json_has_all_samples() -> None:
    report = json.loads(json.dumps(as_json(ROWS)))
    pair, rate, memory, shown = report["results"]
    assert pair["ours"] == {"median": 310, "low": 305, "high": 315, "samples": [300, 310, 320]}
    assert pair["budget"] == {"at-most": 0.8}
    assert (pair["ratio"]["median"], pair["within"]) == (1.0, False)
    assert (rate["note"], rate["budget"]) == ("rough", {"at-least": 0.7})
    assert (memory["against"], memory["theirs"], memory["ratio"], memory["within"]) == (
        None,
        None,
        None,
        True,
    )
    assert (shown["budget"], shown["within"]) == (None, None)
    assert report["skipped"] == [{"name": "P1-off", "why": "this jobd has no setting"}]


def test_rows_are_shown_in_the_order_of_their_names() -> None:
    names = [row.name if isinstance(row, Skipped) else row.budget.name for row in ordered(ROWS)]
    assert names == ["P1", "P1-off", "P3-true", "P4", "P9-idle"]
