"""The lists of mutations fit the code: a change of code that leaves one behind is noticed at once, not when the list is next run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import fault_mutations, security_mutations

ROOT = Path(__file__).parents[2]


def listed() -> Iterator[tuple[str, str, str, str, str]]:
    """Name, file, old and new text, test."""
    for fault in fault_mutations.MUTATIONS:
        test = fault.test if fault.test.startswith("tests/") else f"tests/faults/{fault.test}"
        yield fault.name, fault.file, fault.old, fault.new, test
    for one in security_mutations.MUTATIONS:
        yield one.name, one.file, one.old, one.new, one.test


@pytest.mark.parametrize(("name", "file", "old", "new", "test"), list(listed()))
def test_a_mutation_fits_the_code_and_names_a_test(
    name: str, file: str, old: str, new: str, test: str
) -> None:
    assert (ROOT / file).read_text().count(old) == 1, "what it takes away stands once in its file"
    assert old != new
    path, _, function = test.partition("::")
    text = (ROOT / path).read_text()
    assert (
        not function
        or f"def {function.split('[')[0].split('::')[-1]}(" in text
        or f"{function.split('::')[0]} =" in text
    )


def test_names_are_used_once() -> None:
    names = [name for name, *_ in listed()]
    assert sorted(set(names)) == sorted(names)
