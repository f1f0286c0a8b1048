"""Suggestions for unknown fields, and the permitted values of a field."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.job import JobSpec
from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.job_spec import convert_spec, decode_spec
from jobd.wire.validation.suggestions import known_fields, permitted_values, suggested_field


@pytest.mark.parametrize(
    ("field", "better"),
    [
        ("imagee", "image"),
        ("Image", "image"),
        ("env", "environment"),
        ("timeout", "timeoutSeconds"),
        ("timeout_seconds", "timeoutSeconds"),
        ("read-only", "readOnly"),
        ("callback.URL", "url"),
        ("callback.event", "events"),
        ("artifacts[0].optionl", "optional"),
        ("artifacts[0].wen", "when"),
        ("artifacts[1].wen", None),
        ("artifacts[1].maxbytes", None),
        ("artifacts[2].maxbytes", None),
        ("whatever", None),
        ("callback.image", None),
        ('""', None),
    ],
)
def test_an_unknown_field_gets_the_most_similar_name(field: str, better: str | None) -> None:
    tree = {"artifacts": [{"type": "upload"}, {"type": "write"}, "text"], "callback": {}}
    assert suggested_field(JobSpec, tree, field) == better


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("after[0].on", "any, completed or failed"),
        ("pull", "always, missing or never"),
        ("gpus", "a whole number or all"),
        ("artifacts[0].when", "always, failure or success"),
        ("image", None),
        ("whatever", None),
    ],
)
def test_a_field_of_few_values_names_them(field: str, values: str | None) -> None:
    tree = {"artifacts": [{"type": "upload"}], "after": [{"job": "a"}]}
    assert permitted_values(JobSpec, tree, field) == values


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"after": [{"job": "a", "on": "maybe"}]}, "must be any, completed or failed, and 'maybe' is not"),
        ({"gpus": "some"}, "must be a whole number or all, and 'some' is not"),
    ],
)
def test_a_wrong_word_is_answered_with_the_permitted_ones(fields: dict[str, Any], problem: str) -> None:
    tree = {"id": "a", "image": "b", **fields}
    with pytest.raises(InvalidSpec) as converted:
        convert_spec(tree)
    with pytest.raises(InvalidSpec) as decoded:
        decode_spec(json.dumps(tree).encode())
    for caught in (converted, decoded):
        assert [one.message for one in caught.value.problems] == [problem]


TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=25)
@given(st.text(max_size=20), TREES)
def test_a_suggestion_is_always_a_known_field(field: str, tree: Any) -> None:
    better = suggested_field(JobSpec, tree, field)
    assert better is None or better in known_fields(JobSpec, tree, field.rpartition(".")[0])
