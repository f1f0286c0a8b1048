import pytest

from scripts.bench.__main__ import BENCHMARKS, NAMES, main
from scripts.bench.selection import UnknownNames, in_order, select

ROWS = ["P1", "P1-off", "P2", "P10-in", "lag-P2"]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], set(ROWS)),
        (["P1"], {"P1", "P1-off"}),
        (["P1-off"], {"P1-off"}),
        (["p10", "P2"], {"P10-in", "P2"}),
        (["lag", "lag"], {"lag-P2"}),
    ],
)
def test_a_word_chooses_a_row_and_its_variants(words: list[str], chosen: set[str]) -> None:
    assert select(words, ROWS) == chosen


def test_an_unknown_word_is_named_with_all_rows() -> None:
    with pytest.raises(UnknownNames, match="there is no P3, off; the rows are P1 P1-off P2 P10-in lag-P2"):
        select(["P1", "P3", "off"], ROWS)


def test_the_program_refuses_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["P99"]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert "there is no P99; the rows are P1 " in printed.err


def test_rows_are_in_the_order_of_their_numbers() -> None:
    shuffled = ["lag-P2", "P10-in", "P2", "P1-off", "P1"]
    assert sorted(shuffled, key=in_order) == ROWS


def test_every_budget_has_a_row_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert select([f"P{number}" for number in range(1, 13)], NAMES) == {n for n in NAMES if n.startswith("P")}
    bounds = {budget.name: budget.bound for budgets, _ in BENCHMARKS for budget in budgets}
    assert [bounds[name] for name in ("P1", "P2", "P3", "P4", "P4-batched", "P5", "P6", "P7", "P8", "P11")] == [
        0.8, 1.8, 0.9, 0.7, 4.0, 1.5, 0.6, 1.5, 0.7, 1.15,
    ]  # fmt: skip
    assert [bounds[f"P{number}-off"] for number in (1, 2, 3)] == [1.25, 0.95, 1.2]
    assert [bounds[f"P9-{state}"] for state in ("idle", "kept", "floods")] == [80, 120, 160]
    assert [bounds[f"P12-{what}"] for what in ("decision", "start", "memory", "submit")] == [
        1,
        3000,
        120,
        0.8,
    ]
    assert [bounds[name] for name in ("P6-page", "P10-in", "P10-out", "lag-P2", "lag-P4")] == [
        20,
        0.8,
        0.8,
        50,
        50,
    ]
