"""The values of `--each` and their product."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.sets.values import MOST_JOBS, Axis, each, name_and_source, product, values_of


def listed(text: str) -> list[str]:
    return list(values_of(text, "--each x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1,0.01", ["0.1", "0.01"]),
        ("1..5", ["1", "2", "3", "4", "5"]),
        ("3..1", ["3", "2", "1"]),
        ("0..10..5", ["0", "5", "10"]),
        ("10..0..4", ["10", "6", "2"]),
        ("-1..1", ["-1", "0", "1"]),
        ("08..10", ["08", "09", "10"]),
        ("a,1..2,b", ["a", "1", "2", "b"]),
        (r"a\,b,c", ["a,b", "c"]),
        (r"1\..5", ["1..5"]),
        (r"C:\\x", [r"C:\x"]),
        ("a..b", ["a..b"]),
        ("1...5", ["1...5"]),
        (" a, b", [" a", " b"]),
    ],
)
def test_a_list_and_its_values(text: str, expected: list[str]) -> None:
    assert listed(text) == expected


@pytest.mark.parametrize(
    "text", ["lr", "=1", "l-r=1", "1x=1", "x=", "x=a,,b", "x=1..5..0", "set=1", "index=1..2", "x=1..10001"]
)
def test_a_wrong_list_is_refused(text: str) -> None:
    with pytest.raises(Misuse) as refused:
        each(text)
    assert "--each" in refused.value.message


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8))
def test_any_values_can_be_written(values: list[str]) -> None:
    written = ",".join("".join("\\" + char for char in value) for value in values)
    assert each(f"x={written}").values == tuple(values)


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 50))
def test_a_range_counts_from_its_first_number_up_to_its_last(first: int, last: int, step: int) -> None:
    numbers = list(map(int, listed(f"{first}..{last}..{step}")))
    assert numbers[0] == first
    assert abs(last - numbers[-1]) < step
    assert {abs(b - a) for a, b in itertools.pairwise(numbers)} <= {step}
    assert min(first, last) <= min(numbers)
    assert max(numbers) <= max(first, last)


AXES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.lists(st.text(max_size=3), min_size=1, max_size=4)),
    max_size=4,
    unique_by=lambda pair: pair[0],
)


@given(AXES)
def test_the_product_has_each_combination_once_in_the_order_of_nested_loops(
    given_axes: list[tuple[str, list[str]]],
) -> None:
    axes = [
        Axis(name, tuple(f"{n}{value}" for n, value in enumerate(values)), "") for name, values in given_axes
    ]
    found = product(axes)
    count = 1
    for one in axes:
        count *= len(one.values)
    assert len(found) == count == len({tuple(sorted(one.items())) for one in found})
    places = [tuple(one.values.index(chosen[one.name]) for one in axes) for chosen in found]
    assert places == sorted(places)


def test_a_product_is_bounded_and_a_name_is_given_once() -> None:
    many = Axis("a", tuple(map(str, range(101))), "--each a")
    with pytest.raises(Misuse, match=f"at most {MOST_JOBS}"):
        product([many, Axis("b", tuple(map(str, range(100))), "--each b")])
    with pytest.raises(Misuse, match="twice"):
        product([many, many])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.txt", ("line", "a.txt")),
        ("x=a.txt", ("x", "a.txt")),
        ("./x=a", ("line", "./x=a")),
        ("-", ("line", "-")),
    ],
)
def test_a_source_may_have_a_name(text: str, expected: tuple[str, str]) -> None:
    assert name_and_source(text, "--each-line", "line") == expected


@pytest.mark.parametrize("text", ["", "x="])
def test_a_source_is_needed(text: str) -> None:
    with pytest.raises(Misuse):
        name_and_source(text, "--each-line", "line")
