"""Duplicate names in JSON bodies, and long numbers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.body import check_names
from jobd.wire.validation.job_spec import decode_spec

BASE = {"id": "a", "image": "b"}

NAMES = st.sampled_from(["a", "b", "", "é", "meta"])


class Object(list[tuple[str, Any]]):
    """An object as pairs of names and values, which allows duplicate names."""


TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=4).map(Object),
    max_leaves=10,
)


def written(tree: Any, escaped: bool) -> str:
    if isinstance(tree, Object):
        names = ["".join(f"\\u{ord(c):04x}" for c in name) if escaped else name for name, _ in tree]
        return (
            "{"
            + ",".join(f'"{n}": {written(v, escaped)}' for n, (_, v) in zip(names, tree, strict=True))
            + "}"
        )
    if isinstance(tree, list):
        return "[" + ",".join(written(item, escaped) for item in tree) + "]"
    return json.dumps(tree)


def has_twice(tree: Any) -> bool:
    if isinstance(tree, Object):
        names = [name for name, _ in tree]
        return len(set(names)) != len(names) or any(has_twice(value) for _, value in tree)
    return isinstance(tree, list) and any(map(has_twice, tree))


@settings(max_examples=60, deadline=None)
@given(TREES, st.booleans())
def test_a_body_is_refused_if_and_only_if_a_name_appears_twice(tree: Any, escaped: bool) -> None:
    body = written(tree, escaped).encode()
    if not has_twice(tree):
        check_names(body)
        return
    with pytest.raises(InvalidSpec) as caught:
        check_names(body)
    assert caught.value.problems[0].field
    assert "twice" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"id":"a","image":"b","id":"a"}', "id"),
        (b'{"id":"a","image":"b","\\u0069d":"c"}', "id"),
        (b'{"id":"a","image":"b","meta":{"k":"1","k":"2"}}', "meta.k"),
        (b'{"id":"a","image":"b","meta":null,"meta":{}}', "meta"),
        (b'{"id":"a","image":"b","environment":{"A":"1","A":"1"},"cpu":null}', "environment.A"),
        (b'{"id":"a","image":"b","callback":{"url":"http://h","url":"http://i"}}', "callback.url"),
        (b'{"id":"a","image":"b","artifacts":[{"id":"r","type":"read","in":"f","in":"g"}]}', "artifacts[0].in"),
        (b'{"id":"a","image":"b","artifacts":[{"id":"r","type":"read","type":"read","in":"f"}]}', "artifacts[0].type"),
        (b'{"id":"a","image":"b","secrets":{"s":"1","s":"2"}}', "secrets.s"),
    ],
)  # fmt: skip
def test_a_duplicate_name_is_refused_with_its_path(body: bytes, field: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        decode_spec(body)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "twice" in caught.value.problems[0].message


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "9" * 4999, "1e308", "1e999"])
def test_a_long_number_raises_no_other_error(number: str) -> None:
    """Python itself refuses to parse an integer of more than 4300 digits."""
    check_names(f'{{"value": {number}}}'.encode())
    for field in ("cpu", "memory", "retryOn"):
        with pytest.raises(InvalidSpec):
            decode_spec(f'{{"id":"a","image":"b","meta":null,"{field}": {number}}}'.encode())
