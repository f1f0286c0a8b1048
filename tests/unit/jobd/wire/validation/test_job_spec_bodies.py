"""Bodies of the job spec as a whole: unknown fields, other JSON, and the order of all problems."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import convert_spec, decode_spec

Refuse = Callable[..., list[Problem]]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"zzz": 1}, "zzz"),
        ({"": 1}, '""'),
        ({".id": 1}, ".id"),
        ({"timeout_seconds": 1}, "timeout_seconds"),
        ({"rank": 1}, "rank"),
        ({"callback": {"url": "http://h", "secret": ""}}, "callback.secret"),
        ({"artifacts": [{"id": "a", "type": "read", "in": "x", "out": "y"}]}, "artifacts[0].out"),
    ],
)
def test_an_unknown_field_is_refused_at_each_level(
    refuse: Refuse, fields: dict[str, Any], field: str
) -> None:
    found = refuse(**fields)
    assert [p.field for p in found] == [field]
    assert "unknown field" in found[0].message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", ["cpu", "memory", "timeoutSeconds"])
def test_nan_and_infinity_are_refused(number: str, field: str) -> None:
    with pytest.raises(InvalidSpec):
        decode_spec(f'{{"id":"a","image":"b","{field}":{number}}}'.encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_in_yaml_are_refused_by_field(value: float) -> None:
    with pytest.raises(InvalidSpec) as caught:
        convert_spec({"id": "a", "image": "b", "cpu": value})
    assert [p.field for p in caught.value.problems] == ["cpu"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b'{"id":"a"',
        b'{"id":"a","image":"b"}x',
        b"\xff",
        b'{"id":"\xff","image":"b"}',
        b'{"id":"\\ud800","image":"b"}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"5",
        b"null",
    ],
)
def test_a_body_that_is_no_json_object_is_refused_with_a_text(body: bytes) -> None:
    with pytest.raises(InvalidSpec) as caught:
        decode_spec(body)
    assert [p.field for p in caught.value.problems] == [""]
    assert str(caught.value)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"x":' + b"[" * 100_000, b'{"meta":' * 100_000])
def test_a_body_that_is_nested_without_end_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSpec):
        decode_spec(body)


def test_all_wrong_values_are_reported_at_once_in_the_tables_order(refuse: Refuse) -> None:
    found = refuse(
        id="-", image="", cpu=-1, memory=1, timeoutSeconds=-1, workspace="/", callback={"url": "x"}
    )
    assert [p.field for p in found] == [
        "id",
        "image",
        "cpu",
        "memory",
        "timeoutSeconds",
        "workspace",
        "callback.url",
    ]


def test_the_error_text_names_each_field_with_its_remedy() -> None:
    error = InvalidSpec([Problem("cpu", "must be less"), Problem("", "the body is not JSON")])
    assert str(error) == "cpu: must be less; the body is not JSON"


def test_a_tree_of_builtins_is_checked_like_json() -> None:
    assert convert_spec({"id": "a", "image": "b"}) == decode_spec(
        json.dumps({"id": "a", "image": "b"}).encode()
    )
    for tree, field in [({"id": "a"}, "image"), ({"id": "a", "image": "b", "x": 1}, "x"), ([], "")]:
        with pytest.raises(InvalidSpec) as caught:
            convert_spec(tree)
        assert [p.field for p in caught.value.problems] == [field]
