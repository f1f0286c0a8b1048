"""Suggestions for unknown fields."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.job import JobSpec
from jobd.wire.validation.suggestions import known_fields, suggested_field


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
